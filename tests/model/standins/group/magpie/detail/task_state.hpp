#pragma once

#include <exception>
#include <magpie/detail/wait_list.hpp>
#include <string>

#include "instrumented.hpp"

namespace magpie {

struct spawn_options {};

enum class task_status : unsigned char { pending, finished, cancelled };

namespace detail {

class runtime_core;

/// In place of the state of a spawned task: its end, one waiter, and its visits. The last visit
/// disposes of it.
class task_state_base : public job {
 public:
  task_state_base() noexcept : job(nullptr) {}

  void prepare(runtime_core&, const spawn_options&) { is_gone_.write(false); }
  void publish(std::uint64_t visits) noexcept {
    visits_.store(static_cast<int>(visits), std::memory_order_release);
  }
  void discard() noexcept { is_discarded = true; }
  void cancel_before_start() noexcept {}

  [[nodiscard]] bool add_waiter(waiter& who) noexcept {
    waiter_.write(&who);
    return true;
  }
  [[nodiscard]] task_status status() const noexcept {
    RL_ASSERT(is_alive());
    return has_ended_.load(std::memory_order_acquire) ? task_status::finished
                                                      : task_status::pending;
  }
  [[nodiscard]] std::exception_ptr failure() {
    RL_ASSERT(is_alive());
    return failure_;
  }
  void end_visit() noexcept {
    const int before = visits_.fetch_sub(1, std::memory_order_acq_rel);
    RL_ASSERT(before > 0);
    if (before == 1) is_gone_.write(true);
  }
  [[nodiscard]] std::string name_for_report() const noexcept { return {}; }

  // The model.

  /// As a worker ends the task.
  void end(worker& here, std::exception_ptr failure) {
    failure_ = std::move(failure);
    has_ended_.store(true, std::memory_order_release);
    waiter& told = *waiter_.read();
    told.run(told, here);
  }
  /// As a round does.
  void cancel() noexcept {
    RL_ASSERT(is_alive());
    requests += 1;
  }
  [[nodiscard]] bool is_alive() const noexcept { return !is_gone_.read(); }

  bool is_discarded = false;
  int requests = 0;

 private:
  model::plain<waiter*> waiter_;
  model::atomic<bool> has_ended_{false};
  std::exception_ptr failure_;
  model::atomic<int> visits_{0};
  model::plain<bool> is_gone_;
};

}  // namespace detail
}  // namespace magpie
