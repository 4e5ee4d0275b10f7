#pragma once

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/proceed.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/errors.hpp>
#include <magpie/sleep.hpp>
#include <magpie/timeout.hpp>

#include "runtime/runtime_core.hpp"
#include "search.hpp"

// What the programs of cancel_model.cpp have in common.

namespace magpie::detail {

/// As in task_state.cpp.
inline scheduler& scheduler_of(cancel_scope& scope) noexcept { return task_of(scope).home()->jobs; }

}  // namespace magpie::detail

namespace magpie::model {

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
    RL_ASSERT(seen <= accepted_ + ended_early_ && (accepted_ == 0) == (seen == 0));
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

  static task<> sleep_in_both(timeout_scope& outer, bool& has_expired) {
    const auto body = [&has_expired](timeout_scope& scope) { return sleep_in(scope, has_expired); };
    try {
      co_await with_timeout(1s, body);
    } catch (const cancelled&) {
      has_expired |= outer.expired();
      throw;
    }
  }

  task<> sleep_within(duration limit) { return count_end_within(limit, &sleep_in); }
  /// With another timeout in between.
  task<> sleep_within_two(duration limit) { return count_end_within(limit, &sleep_in_both); }

  task<> count_end_within(duration limit, task<> (*run)(timeout_scope&, bool&)) {
    bool has_expired = false;
    const auto body = [&](timeout_scope& scope) { return run(scope, has_expired); };
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
        while (!expire(scheduler::firing::oldest) && !has_ended_) {
          core_.jobs.something_armed.wait();
        }
        break;
      case other::fires:
      case other::fires_newest:
        while (!has_ended_) {
          const bool has_fired =
              expire(what == other::fires ? scheduler::firing::oldest : scheduler::firing::newest);
          if (!has_fired && !has_ended_) core_.jobs.something_armed.wait();
        }
        break;
    }
  }

  /// The thread then does what the timekeeper leaves to another one, too.
  bool expire(scheduler::firing which) {
    const bool has_fired = core_.jobs.expire(which);
    while (detail::pool_job* const left = core_.rounds.take()) left->run(*left);
    return has_fired;
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

}  // namespace magpie::model
