// Requests to cancel under relacy, against what they end: a sleep, a timeout, the task. Who takes a
// wait out of its source is one; the coroutine goes on once; each request is told once; and nobody
// touches what has been left.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/detail/join.hpp>
#include <magpie/detail/proceed.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>

#include "runtime/abort_scope.cpp"
#include "runtime/branch.cpp"
#include "runtime/cancel_round.cpp"
#include "runtime/cancel_scope.cpp"
#include "runtime/join.cpp"
#include "runtime/leaf_wait.cpp"
#include "runtime/sleep.cpp"
#include "runtime/timeout.cpp"
#include "search.hpp"

namespace magpie::model {
namespace {

using namespace std::chrono_literals;
using detail::scheduler;

/// What the other threads do.
enum class other {
  works,         // as a second worker
  asks,          // one request to cancel
  asks_twice,    // two, one after the other
  fires,         // the timekeeper: each timer, the oldest first
  fires_newest,  // the newest first
  fires_once,    // one timer only
  interferes     // what Derived's interfere() says
};

class cancel_program_base : public program {
 public:
  static inline cancel_program_base* running = nullptr;

  virtual void task_ended(const detail::failure_word& ended) = 0;

  [[nodiscard]] std::uint64_t next_request_number() {
    return last_number_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

 private:
  atomic<std::uint64_t> last_number_{0};
};

/// Thread 0 is a worker, on which a task runs that is Derived's body(). The others do what it is
/// told.
template <class Derived, other... others>
class cancel_program : public cancel_program_base {
 public:
  static constexpr unsigned threads = 1 + sizeof...(others);

  cancel_program() { running = this; }

  void thread(unsigned index) final {
    static constexpr std::array all{others...};
    if (index == 0) {
      begin();
      work(workers_[0]);
    } else if (all[index - 1] == other::works) {
      work(workers_[1]);
    } else {
      act(all[index - 1]);
    }
  }

  void after() final {
    RL_ASSERT(has_ended_ && core_.jobs.take() == nullptr && core_.jobs.is_idle());
    // Each request is told or found at the end; several may be told as one.
    const int seen = told_ + (is_left_ ? 1 : 0);
    RL_ASSERT(seen <= accepted_ + ended_early_ && (accepted_ == 0 || seen > 0));
    static_cast<Derived&>(*this).check();
    RL_ASSERT(detail::frames::are_gone());
  }

  void task_ended(const detail::failure_word& ended) final {
    RL_ASSERT(!ended.has_failure());
    const std::uint64_t told = ended.knows_told() ? ended.told() : 0;
    frame_.destroy();
    is_left_ = state_.finish(told);
    has_ended_ = true;
    core_.jobs.something_armed.set();
  }

 protected:
  /// A sleep in a frame of its own, which is gone when it is over. Whether it was cancelled.
  static task<> sleep() { co_await sleep_for(1s); }

  static task<> sleep_in(timeout_scope& scope, bool& has_expired) {
    try {
      co_await sleep_for(1s);
    } catch (const cancelled&) {
      has_expired = scope.expired();
      throw;
    }
  }

  task<> sleep_and_count() {
    bool was_told = false;
    try {
      co_await sleep();
    } catch (const cancelled&) {
      was_told = true;
    }
    (was_told ? told_ : slept_) += 1;
  }

  task<> sleep_within(duration limit) {
    bool has_expired = false;
    const auto body = [&has_expired](timeout_scope& scope) { return sleep_in(scope, has_expired); };
    bool was_told = false;
    bool is_over = false;
    try {
      co_await with_timeout(limit, body);
    } catch (const cancelled&) {
      // If the timeout has expired, this may be its own, and the request is still to come.
      was_told = true;
      ended_early_ += has_expired ? 1 : 0;
    } catch (const timeout_error&) {
      is_over = true;
    }
    (was_told ? told_ : is_over ? timeouts_ : slept_) += 1;
  }

  [[nodiscard]] int told() const { return told_; }
  [[nodiscard]] int slept() const { return slept_; }
  [[nodiscard]] int timeouts() const { return timeouts_; }
  [[nodiscard]] int accepted() const { return accepted_; }
  [[nodiscard]] scheduler& jobs() { return core_.jobs; }

  void interfere() {}

 private:
  void begin() {
    auto body = detail::task_access::release(static_cast<Derived&>(*this).body());
    body.promise().set_continuation(detail::continuation(state_));
    frame_ = body;
    workers_[0].set_context(static_cast<detail::cancel_scope*>(&state_));
    body.resume();
  }

  void work(detail::worker& here) {
    while (!has_ended_) {
      detail::job* const item = core_.jobs.take();
      if (item != nullptr) {
        item->run(*item, here);
      } else if (!has_ended_) {
        core_.jobs.something_ready.wait();
      }
    }
    core_.jobs.something_ready.set();  // for the other worker
  }

  void act(other what) {
    switch (what) {
      case other::works:
        break;
      case other::interferes:
        static_cast<Derived&>(*this).interfere();
        break;
      case other::asks_twice:
        accepted_ += detail::cancel_task(state_, nullptr) ? 1 : 0;
        [[fallthrough]];
      case other::asks:
        accepted_ += detail::cancel_task(state_, nullptr) ? 1 : 0;
        break;
      case other::fires_once:
        while (!core_.jobs.expire(scheduler::firing::oldest) && !has_ended_) {
          core_.jobs.something_armed.wait();
        }
        break;
      case other::fires:
      case other::fires_newest:
        while (!has_ended_) {
          const bool has_fired = core_.jobs.expire(
              what == other::fires ? scheduler::firing::oldest : scheduler::firing::newest);
          if (!has_fired && !has_ended_) core_.jobs.something_armed.wait();
        }
        break;
    }
  }

  detail::runtime_core core_;
  std::array<detail::worker, 2> workers_{
      detail::worker{0, &core_.jobs, detail::worker::manner::calm},
      detail::worker{1, &core_.jobs, detail::worker::manner::calm}};
  detail::task_state_base state_{core_};
  std::coroutine_handle<> frame_;
  bool has_ended_ = false;
  bool is_left_ = false;
  int told_ = 0;
  int slept_ = 0;
  int timeouts_ = 0;
  int ended_early_ = 0;
  int accepted_ = 0;
};

/// A sleep that somebody ends.
template <other... others>
class one_sleep : public cancel_program<one_sleep<others...>, others...> {
 public:
  task<> body() { co_await this->sleep_and_count(); }
  void check() { RL_ASSERT(this->told() + this->slept() == 1); }
};

/// One that nobody ends but a request.
class endless_sleep : public cancel_program<endless_sleep, other::asks> {
 public:
  task<> body() { co_await sleep_and_count(); }
  void check() { RL_ASSERT(told() == 1 && slept() == 0 && accepted() == 1); }
};

/// Who was told waits again, to clean up. The same request does not end that; the next one does.
template <other... others>
class two_sleeps : public cancel_program<two_sleeps<others...>, others...> {
 public:
  task<> body() {
    co_await this->sleep_and_count();
    co_await this->sleep_and_count();
  }
  void check() {
    RL_ASSERT(this->told() + this->slept() == 2);
    RL_ASSERT(this->told() <= this->accepted());
  }
};

/// A timeout around a sleep: each has a timer, and either may fire first.
template <other... others>
class sleep_in_time : public cancel_program<sleep_in_time<others...>, others...> {
 public:
  task<> body() { co_await this->sleep_within(1s); }
  void check() { RL_ASSERT(this->told() + this->slept() + this->timeouts() == 1); }
};

/// The same, and another sleep behind it, to clean up: a request ends one of the two.
template <other... others>
class sleep_in_time_and_after
    : public cancel_program<sleep_in_time_and_after<others...>, others...> {
 public:
  task<> body() {
    co_await this->sleep_within(1s);
    co_await this->sleep_and_count();
  }
  void check() { RL_ASSERT(this->told() + this->slept() + this->timeouts() == 2); }
};

/// A timeout whose body does not wait: its end against the expiry.
template <other... others>
class body_in_time : public cancel_program<body_in_time<others...>, others...> {
 public:
  task<> body() {
    const auto nothing = [](timeout_scope&) { return nothing_at_all(); };
    co_await with_timeout(1s, nothing);
    // Once more, where the first one was.
    co_await with_timeout(1s, nothing);
  }
  void check() { RL_ASSERT(this->told() == 0); }

 private:
  static task<> nothing_at_all() { co_return; }
};

/// A timeout without any time, while a request comes: it must not pass for the timeout.
template <other... others>
class no_time : public cancel_program<no_time<others...>, others...> {
 public:
  task<> body() { co_await this->sleep_within(0s); }
  void check() { RL_ASSERT(this->told() + this->timeouts() == 1 && this->slept() == 0); }
};

/// A body that another thread can see, and that waits until this opens the gate.
class gated_timeout {
 protected:
  struct entrance {
    gated_timeout& program;
    timeout_scope& scope;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) const noexcept {
      program.gate_.prepare(suspended, detail::worker::here());
      program.scope_.store(&scope, std::memory_order_release);
    }
    void await_resume() const noexcept {}
  };

  task<> run_gated() {
    const auto limited = [this](timeout_scope& scope) { return wait_within(scope); };
    co_await with_timeout(1s, limited);
  }
  timeout_scope& wait_for_body() {
    while (scope_.load(std::memory_order_acquire) == nullptr) let_time_pass();
    return *scope_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] detail::job& gate() noexcept { return gate_; }

 private:
  task<> wait_within(timeout_scope& scope) {
    const entrance enter{*this, scope};
    co_await enter;
  }

  atomic<timeout_scope*> scope_{nullptr};
  detail::resumption gate_;
};

/// Another thread sets the deadline anew; the body ends when the timer is about to be armed for it.
template <other... others>
class left_while_rescheduled
    : public cancel_program<left_while_rescheduled<others...>, other::interferes, others...>,
      gated_timeout {
 public:
  task<> body() { return run_gated(); }
  void interfere() {
    timeout_scope& scope = wait_for_body();
    this->jobs().ready_when_arming = &gate();
    try {
      static_cast<void>(scope.reschedule(now() + 2s));
    } catch (const invalid_state&) {
      // It has run out.
    }
    if (std::exchange(this->jobs().ready_when_arming, nullptr) != nullptr) {
      this->jobs().submit(gate());
    }
  }
  void check() { RL_ASSERT(this->told() == 0); }
};

/// Other threads set the deadline anew, perhaps at the same time, while the timer fires. The body
/// goes on when the last of them has done so.
template <int times, other... others>
class rescheduled : public cancel_program<rescheduled<times, others...>, others...>, gated_timeout {
 public:
  task<> body() { return run_gated(); }

  void interfere() {
    reschedule(wait_for_body());
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == times) this->jobs().submit(gate());
  }

  void check() { RL_ASSERT(this->told() == 0 && changes_ <= times); }

 private:
  void reschedule(timeout_scope& scope) noexcept {
    try {
      changes_ += scope.reschedule(now() + 2s) ? 1 : 0;
    } catch (const invalid_state&) {
      // It has run out.
    }
  }

  atomic<int> done_{0};
  int changes_ = 0;
};

}  // namespace
}  // namespace magpie::model

namespace magpie {

time_point now() noexcept { return time_point{} + std::chrono::hours(1); }

namespace detail {

void end_task(task_state_base&, failure_word& ended) noexcept {
  model::cancel_program_base::running->task_ended(ended);
}
std::uint64_t next_request_number() noexcept {
  return model::cancel_program_base::running->next_request_number();
}
void throw_invalid_state(const char* expected) { throw invalid_state(expected); }
void wait_descriptions::add(const wait_description&) noexcept { std::abort(); }

}  // namespace detail
}  // namespace magpie

int main() {
  using namespace magpie::model;
  using enum other;
  for (const search kind : {search::two_preemptions, search::random}) {
    run<endless_sleep>("endless_sleep", kind);
    run<one_sleep<fires>>("one_sleep<fires>", kind);
    run<one_sleep<works, fires>>("one_sleep<works, fires>", kind);
    run<one_sleep<fires, asks>>("one_sleep<fires, asks>", kind);
    run<two_sleeps<fires, asks>>("two_sleeps<fires, asks>", kind);
    run<sleep_in_time<asks>>("sleep_in_time<asks>", kind);
    run<sleep_in_time<fires>>("sleep_in_time<fires>", kind);
    run<sleep_in_time<fires_newest>>("sleep_in_time<fires_newest>", kind);
    run<sleep_in_time<fires_once>>("sleep_in_time<fires_once>", kind);
    run<no_time<asks>>("no_time<asks>", kind);
    run<body_in_time<fires>>("body_in_time<fires>", kind);
    run<rescheduled<1, fires_once, interferes>>("rescheduled<1>", kind);
    run<left_while_rescheduled<>>("left_while_rescheduled<>", kind);
    run<left_while_rescheduled<fires>>("left_while_rescheduled<fires>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<one_sleep<works, fires, asks>>("one_sleep<works, fires, asks>", kind);
    run<one_sleep<asks, asks>>("one_sleep<asks, asks>", kind);
    run<two_sleeps<fires, asks_twice>>("two_sleeps<fires, asks_twice>", kind);
    run<sleep_in_time<fires, asks>>("sleep_in_time<fires, asks>", kind);
    run<sleep_in_time_and_after<fires, asks>>("sleep_in_time_and_after", kind);
    run<sleep_in_time<works, fires, asks>>("sleep_in_time<works, fires, ...>", kind);
    run<body_in_time<fires, asks>>("body_in_time<fires, asks>", kind);
    run<rescheduled<2, fires_once, interferes, interferes>>("rescheduled<2>", kind);
  }
}
