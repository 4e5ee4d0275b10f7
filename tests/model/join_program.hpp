#pragma once

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/detail/join.hpp>
#include <magpie/task.hpp>

#include "search.hpp"

// What the programs of join_model.cpp and contest_model.cpp have in common.

namespace magpie::model {

/// The program that runs, for what the code calls as free functions.
class join_program_base : public program {
 public:
  static inline join_program_base* running = nullptr;

  bool has_ended = false;
};

using detail::join;
using detail::worker;

/// Suspends the coroutine as a leaf wait would: another thread may resume it at once.
class suspended : public detail::job {
 public:
  suspended() noexcept : job(&resume) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept {
    coroutine_ = coroutine;
    context_ = worker::here().context();
    worker::here().make_ready(*this);
  }
  void await_resume() const noexcept {}

 private:
  static void resume(job& self, worker& here) noexcept {
    auto& resumed = static_cast<suspended&>(self);
    here.set_context(resumed.context_);
    resumed.coroutine_.resume();
  }

  std::coroutine_handle<> coroutine_;
  void* context_ = nullptr;
};

/// Thread 0 begins with the parent; then all do what workers do, until it has ended.
template <class Derived, unsigned workers>
class join_program : public join_program_base {
 public:
  static constexpr unsigned threads = workers;

  explicit join_program(worker::manner how = worker::manner::calm)
      : workers_(make_workers(how, std::make_index_sequence<workers>{})) {
    running = this;
  }
  void thread(unsigned index) final {
    worker& here = workers_[index];
    if (index == 0) {
      here.set_context(&context_);
      auto parent = detail::task_access::release(static_cast<Derived&>(*this).parent());
      // Any address that is no null pointer: it is for end_task() only.
      parent.promise().set_continuation(
          detail::continuation(reinterpret_cast<detail::task_state_base&>(context_)));
      frame_ = parent;
      parent.resume();
    }
    while (!has_ended) {
      if (detail::job* const item = next(here)) {
        item->run(*item, here);
      } else {
        let_time_pass();
      }
    }
  }

  void after() final {
    RL_ASSERT(has_ended);
    for (worker& each : workers_) {
      RL_ASSERT(each.forks.pop() == nullptr && each.ready.steal() == nullptr);
    }
    frame_.destroy();
    RL_ASSERT(detail::frames::are_gone());
  }

 protected:
  static constexpr std::size_t child_count = 4;

  enum class manner { at_once, suspends, fails };

  task<> child(std::size_t index, manner how = manner::at_once) {
    RL_ASSERT(worker::here().context() == &context_);
    runs_[index] += 1;
    RL_ASSERT(runs_[index] == 1);
    results_[index].write(1);
    if (how == manner::suspends) co_await suspended{};
    results_[index].write(2);
    if (how == manner::fails) throw static_cast<int>(index);
  }

  /// The parent has gone on.
  void note_going_on() {
    goings_on_ += 1;
    RL_ASSERT(goings_on_ == 1);
  }
  /// After that.
  [[nodiscard]] bool has_run(std::size_t index) const { return runs_[index] != 0; }
  [[nodiscard]] int result(std::size_t index) const { return results_[index].read(); }

  void check(std::size_t children) {
    note_going_on();
    for (std::size_t i = 0; i < children; ++i) RL_ASSERT(result(i) == 2);
  }

 private:
  template <std::size_t... indices>
  static std::array<worker, workers> make_workers(worker::manner how,
                                                  std::index_sequence<indices...>) {
    return {worker{indices, nullptr, how}...};
  }

  /// Its own forks first, as a worker's loop does; then what has become ready; then others' forks.
  detail::job* next(worker& here) {
    if (detail::job* const item = here.forks.pop()) return item;
    for (worker& each : workers_) {
      if (detail::job* const item = each.ready.steal()) return item;
    }
    for (worker& each : workers_) {
      if (&each == &here) continue;
      if (detail::job* const item = each.forks.steal()) return item;
    }
    return nullptr;
  }

  std::array<worker, workers> workers_;
  std::array<int, child_count> runs_{};
  std::array<plain<int>, child_count> results_;
  alignas(8) int context_ = 0;
  int goings_on_ = 0;
  std::coroutine_handle<> frame_;
};

}  // namespace magpie::model

namespace magpie::detail {

inline void end_task(task_state_base&, failure_word& failure) noexcept {
  RL_ASSERT(failure.is_empty());
  model::join_program_base::running->has_ended = true;
}

// Nobody makes a request, so nobody has been told of one.
inline void promise_base::hand_on_told() noexcept { std::abort(); }
inline void promise_base::rethrow_failure_slowly() { std::abort(); }
void throw_invalid_state(const char*) { std::abort(); }

}  // namespace magpie::detail
