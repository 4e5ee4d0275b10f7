// Requests to cancel under relacy, against what they end: a sleep, a timeout, the task. Who takes a
// wait out of its source is one; the coroutine goes on once; each request is told once; and nobody
// touches what has been left.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/detail/join.hpp>
#include <magpie/detail/spin_lock.hpp>

#include "cancel_program.hpp"
#include "combinators/timeout.cpp"
#include "runtime/abort_scope.cpp"
#include "runtime/branch.cpp"
#include "runtime/cancel_round.cpp"
#include "runtime/cancel_scope.cpp"
#include "runtime/delivery.cpp"
#include "runtime/join.cpp"
#include "runtime/leaf_wait.cpp"
#include "runtime/region.cpp"
#include "runtime/sleep.cpp"

namespace magpie::model {
namespace {

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

/// A timeout around that, whose round has a scope to go through.
template <other... others>
class sleep_in_two : public cancel_program<sleep_in_two<others...>, others...> {
 public:
  task<> body() { co_await this->sleep_within_two(1s); }
  void check() { RL_ASSERT(this->told() + this->slept() + this->timeouts() == 1); }
};

/// A timeout around a sleep, and another sleep behind it, to clean up: a request ends one of the
/// two.
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
    run<sleep_in_two<fires>>("sleep_in_two<fires>", kind);
    run<sleep_in_two<fires_once>>("sleep_in_two<fires_once>", kind);
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
    run<sleep_in_two<fires, asks>>("sleep_in_two<fires, asks>", kind);
    run<sleep_in_time_and_after<fires, asks>>("sleep_in_time_and_after", kind);
    run<sleep_in_time<works, fires, asks>>("sleep_in_time<works, fires, ...>", kind);
    run<body_in_time<fires, asks>>("body_in_time<fires, asks>", kind);
    run<rescheduled<2, fires_once, interferes, interferes>>("rescheduled<2>", kind);
  }
}
