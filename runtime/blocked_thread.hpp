#pragma once

#include <magpie/clock.hpp>
#include <magpie/detail/futex.hpp>
#include <magpie/detail/resumption.hpp>

namespace magpie::detail {

/// The waiter of a thread, not a task, that blocks until a task ends. Lives on that thread's stack.
class blocked_thread : public waiter {
 public:
  blocked_thread() noexcept : waiter(&wake) {}

  /// Blocks until the task has ended or the deadline has passed. Returns false if the deadline has
  /// passed.
  bool wait_until(time_point deadline) noexcept {
    if (deadline != time_point::max()) return parker_.park_until(deadline);
    parker_.park();
    return true;
  }

 private:
  static void wake(job& self, worker&) noexcept {
    static_cast<blocked_thread&>(self).parker_.unpark();
  }

  parker parker_;
};

}  // namespace magpie::detail
