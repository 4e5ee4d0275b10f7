// The end of a task under relacy, against requests to cancel, requests taken back, threads that
// wait and handles that go: there is one outcome, each request was told which, nobody who waits is
// forgotten, and the last one, and nobody else, disposes of the state.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/detail/join.hpp>
#include <magpie/detail/proceed.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>

#include "runtime/blocked_thread.hpp"
#include "runtime/branch.cpp"
#include "runtime/cancel_round.cpp"
#include "runtime/cancel_scope.cpp"
#include "runtime/delivery.cpp"
#include "runtime/errors.cpp"
#include "runtime/join.cpp"
#include "runtime/leaf_wait.cpp"
#include "runtime/local_values.hpp"
#include "runtime/runtime_core.hpp"
#include "runtime/task_extras.cpp"
#include "runtime/task_extras.hpp"
#include "runtime/task_state.cpp"
#include "runtime/wait_description.cpp"
#include "runtime/wait_list.cpp"
#include "search.hpp"

// In place of task_name.cpp: its counter outlives an execution, which an instrumented one must not.
std::uint64_t magpie::detail::next_task_number() noexcept { return 1; }
std::string magpie::detail::task_name::text() const { return *given; }

namespace magpie::model {
namespace {

/// What the other threads do with their handle before they drop it.
enum class other {
  asks,           // for the end
  asks_why,       // the same with a reason
  asks_in_vain,   // and takes the request back
  waits,          // until the end
  waits_briefly,  // for no time at all
  looks,          // until it sees the end
  forgives,       // nothing, but a request was made and taken back before all
  leaves          // nothing
};

/// Of the execution that runs.
inline atomic<std::uint64_t>* last_request_number = nullptr;

/// The result of the task: whoever takes it, or disposes of it, has to be behind what was done
/// before.
class outcome_mark {
 public:
  explicit outcome_mark(plain<int>& payload) noexcept : payload_(&payload) {}
  outcome_mark(outcome_mark&& moved) noexcept : payload_(std::exchange(moved.payload_, nullptr)) {}
  outcome_mark& operator=(outcome_mark&&) = delete;
  ~outcome_mark() {
    if (payload_ != nullptr) payload_->write(0);
  }

  [[nodiscard]] int read() const { return payload_->read(); }

 private:
  plain<int>* payload_;
};

/// Thread 0 is a worker, on which a task runs that gives a result at once.
template <other... others>
class completion_program : public program {
 public:
  static constexpr unsigned threads = 1 + sizeof...(others);

  completion_program() { last_request_number = &last_number_; }

  void before() final {
    auto made = body(payload_);
    state_ = &detail::task_state<outcome_mark>::make(made);
    state_->launch(core_, {.name = "task"});
    for (unsigned i = 1; i < sizeof...(others); ++i) state_->add_handle();
    if (((others == other::forgives) || ...)) {
      RL_ASSERT(ask() && state_->uncancel() == 0);
    }
  }

  void thread(unsigned index) final {
    static constexpr std::array all{others...};
    if (index == 0) {
      detail::job* const first = core_.jobs.take();
      first->run(*first, here_);
    } else {
      act(all[index - 1]);
      state_->drop_handle();
    }
  }

  void after() final {
    RL_ASSERT(core_.tasks.alive == 0);
    // All saw the same, and requests decided which. What is taken back may have been delivered.
    RL_ASSERT(seen_cancelled_ == 0 || (accepted_ > 0 && seen_finished_ == 0));
    RL_ASSERT(seen_finished_ == 0 || accepted_ <= taken_back_);
    RL_ASSERT(here_.context() == nullptr);
    RL_ASSERT(detail::frames::are_gone());
  }

 private:
  static task<outcome_mark> body(plain<int>& payload) {
    payload.write(42);
    co_return outcome_mark(payload);
  }

  /// As a handle does it.
  bool ask(const char* reason = nullptr) {
    std::shared_ptr<const std::string> why;
    if (reason != nullptr) {
      why = std::make_shared<const std::string>(reason);
      state_->make_room_for_reason();
    }
    return detail::cancel_task(*state_, std::move(why));
  }

  void act(other what) {
    switch (what) {
      case other::asks:
        accepted_ += ask() ? 1 : 0;
        break;
      case other::asks_why:
        accepted_ += ask("why") ? 1 : 0;
        static_cast<void>(state_->wait());
        look();
        break;
      case other::asks_in_vain:
        if (!ask()) break;
        accepted_ += 1;
        take_back();
        break;
      case other::waits:
        RL_ASSERT(state_->wait());
        look();
        break;
      case other::waits_briefly:
        if (state_->wait(time_point{})) look();
        break;
      case other::looks:
        while (!state_->is_done()) let_time_pass();
        look();
        break;
      case other::forgives:
        state_->wait();
        RL_ASSERT(state_->status() == task_status::finished);
        break;
      case other::leaves:
        break;
    }
  }

  void take_back() {
    if (state_->is_done()) {
      const unsigned all = state_->cancelling();
      RL_ASSERT(all > 0 && state_->uncancel() == all);
    } else if (state_->uncancel() == 0) {
      taken_back_ += 1;
    }
  }

  void look() {
    RL_ASSERT(state_->is_done());
    if (state_->status() == task_status::finished) {
      seen_finished_ += 1;
      state_->require_result();
      RL_ASSERT(state_->result().read() == 42);
      return;
    }
    seen_cancelled_ += 1;
    std::string reason = "none";
    try {
      static_cast<void>(state_->failure());
    } catch (const cancelled& error) {
      reason = error.reason();
    }
    RL_ASSERT(reason.empty() || reason == "why");
    RL_ASSERT(sizeof...(others) > 1 || reason == "why");
  }

  atomic<std::uint64_t> last_number_{0};
  detail::runtime_core core_;
  detail::worker here_{0, &core_.jobs, detail::worker::manner::calm};
  plain<int> payload_;
  detail::task_state<outcome_mark>* state_ = nullptr;
  int accepted_ = 0;
  int taken_back_ = 0;
  int seen_finished_ = 0;
  int seen_cancelled_ = 0;
};

}  // namespace
}  // namespace magpie::model

namespace magpie {

time_point now() noexcept { return time_point{} + std::chrono::hours(1); }

namespace detail {

shared_locals current_locals() noexcept { return {}; }

std::uint64_t next_request_number() noexcept {
  return model::last_request_number->fetch_add(1, std::memory_order_relaxed) + 1;
}

// Nobody adds a callback.
void done_callbacks::add(done_callback_id, done_callback) { std::abort(); }
std::size_t done_callbacks::remove(done_callback_id) { std::abort(); }
void done_callbacks::submit_to(runtime_core&) noexcept { std::abort(); }
bool done_callbacks::task_ended() noexcept { return false; }
void done_callbacks::run_all(job&, worker&) noexcept { std::abort(); }

}  // namespace detail
}  // namespace magpie

int main() {
  using namespace magpie::model;
  using enum other;
  for (const search kind : {search::two_preemptions, search::random}) {
    run<completion_program<leaves>>("leaves", kind);
    run<completion_program<asks_why>>("asks_why", kind);
    run<completion_program<asks_in_vain>>("asks_in_vain", kind);
    run<completion_program<waits>>("waits", kind);
    run<completion_program<waits_briefly>>("waits_briefly", kind);
    run<completion_program<looks>>("looks", kind);
    run<completion_program<forgives>>("forgives", kind);
    run<completion_program<looks, leaves>>("looks, leaves", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<completion_program<waits, waits_briefly, asks>>("waits, waits_briefly, asks", kind);
    run<completion_program<looks, asks>>("looks, asks", kind);
    run<completion_program<waits, asks>>("waits, asks", kind);
    run<completion_program<looks, asks_in_vain>>("looks, asks_in_vain", kind);
    run<completion_program<asks_why, asks>>("asks_why, asks", kind);
  }
  run<completion_program<looks, asks, asks_in_vain>>("looks, asks, asks_in_vain", search::random);
}
