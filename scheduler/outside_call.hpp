#pragma once

#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

/// A call into a scheduler by a thread that is not one of its workers, for as long as it lasts.
/// What such a call submits may be the last thing that the scheduler's owner waits for; so the end
/// of a scheduler waits until no call is inside.
class outside_call {
 public:
  /// Before the submission. `place` tells schedulers apart.
  explicit outside_call(const void* place) noexcept;
  /// After the last touch of the scheduler.
  ~outside_call();
  outside_call(const outside_call&) = delete;
  outside_call& operator=(const outside_call&) = delete;

  /// Returns when none of the calls is inside that submitted what the caller knows to have run.
  static void wait_for_all(const void* place) noexcept;

 private:
  thread_record& caller_;
};

}  // namespace magpie::detail
