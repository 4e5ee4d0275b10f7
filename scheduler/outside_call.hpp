#pragma once

#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

/// A call into a scheduler by a thread that is not one of its workers. The object lives as long as
/// the call lasts. What the call submits may be the last thing that the scheduler's owner waits
/// for. So the scheduler's destructor waits until no call is inside.
class outside_call {
 public:
  /// To be constructed before the submission. `place` identifies the scheduler.
  explicit outside_call(const void* place) noexcept;
  /// To be destroyed after the last access to the scheduler.
  ~outside_call();
  outside_call(const outside_call&) = delete;
  outside_call& operator=(const outside_call&) = delete;

  /// Waits until each call has ended that submitted a job which the caller knows to have run.
  static void wait_for_all(const void* place) noexcept;

 private:
  thread_record& caller_;
};

}  // namespace magpie::detail
