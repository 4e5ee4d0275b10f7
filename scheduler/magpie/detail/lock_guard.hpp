#pragma once

#include <magpie/detail/thread_annotations.hpp>
#include <mutex>

namespace magpie::detail {

/// std::lock_guard, in words that the thread-safety analysis understands.
template <class Lock>
class MAGPIE_LOCK_GUARD lock_guard {
 public:
  explicit lock_guard(Lock& held) noexcept(noexcept(held.lock())) MAGPIE_ACQUIRES(held)
      : held_(held) {
    held.lock();
  }
  /// The caller has locked it.
  lock_guard(Lock& held, std::adopt_lock_t) noexcept MAGPIE_REQUIRES(held) : held_(held) {}
  lock_guard(const lock_guard&) = delete;
  lock_guard& operator=(const lock_guard&) = delete;
  ~lock_guard() MAGPIE_RELEASES() { held_.unlock(); }

 private:
  Lock& held_;
};

}  // namespace magpie::detail
