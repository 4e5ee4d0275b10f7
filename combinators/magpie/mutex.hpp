#pragma once

#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/wait_list.hpp>
#include <utility>

namespace magpie {

class condition;

/// Lets one task at a time into a part of the program that may suspend.
///
///     magpie::mutex entering;
///     const magpie::mutex::guard held = co_await entering.lock();  // until the end of the block
///
/// - First come, first served. A mutex that is unlocked while tasks wait belongs to the first of
///   them at once: no other task gets in between.
/// - Whoever has the guard holds the mutex: the guard may be moved to another task. Tasks of
///   several runtimes may share it. What was done before an unlock happens before the next lock.
/// - It must outlive its guards and its waits: to destroy it while it is locked aborts the program.
///   The task that unlocked it last may destroy it.
/// - Nothing is allocated. To lock a free mutex costs one atomic operation, to unlock it where no
///   task waits another one; neither suspends.
///
/// Code that does not suspend while it holds the lock can use a std::mutex. In asyncio:
/// `asyncio.Lock`, with `async with` in place of the guard.
class mutex {
 public:
  mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;
  ~mutex();

  class guard;
  class acquisition;

  /// Awaited, waits until the mutex belongs to the caller, and gives a `guard`. Throws
  /// invalid_state outside of a task. A task that holds the mutex already waits for itself.
  ///
  /// A cancel request to the awaiting task ends the wait at once with `cancelled`. A mutex that was
  /// given to it by then goes to the next waiter.
  [[nodiscard]] acquisition lock() noexcept;

  /// Locks the mutex if it is free; else returns an empty guard. Any thread.
  [[nodiscard]] guard try_lock() noexcept;

  /// Returns whether somebody holds the mutex at this moment.
  [[nodiscard]] bool is_locked() const noexcept { return waiters_.is_marked(); }

 private:
  friend condition;

  /// A coroutine that waits for a mutex.
  class waiting;

  void unlock() noexcept;
  /// Gives `who` the mutex if it is free, and returns true; the caller makes `who` ready. Else puts
  /// it behind all that wait.
  [[nodiscard]] bool give_or_enqueue(waiting& who) noexcept;

  // Each a waiting. Marked while the mutex is locked; it is whenever a task waits.
  detail::wait_list waiters_;
};

/// Holds a mutex, and unlocks it when it is destroyed. Empty when it was moved from and after
/// unlock(). The mutex must outlive it.
class [[nodiscard]] mutex::guard {
 public:
  guard() noexcept = default;
  guard(guard&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  guard& operator=(guard other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~guard() {
    if (held_ != nullptr) held_->unlock();
  }

  explicit operator bool() const noexcept { return held_ != nullptr; }

  /// Unlocks the mutex now. Throws invalid_state if the guard is empty.
  void unlock() {
    if (held_ == nullptr) [[unlikely]]
      detail::throw_invalid_state("a guard that holds a mutex, to unlock it");
    std::exchange(held_, nullptr)->unlock();
  }

 private:
  friend mutex;
  friend condition;

  explicit guard(mutex& held) noexcept : held_(&held) {}

  mutex* held_ = nullptr;
};

class mutex::waiting : protected detail::leaf_wait {
 protected:
  waiting(const operations& kind, mutex& source) noexcept : leaf_wait(kind), source_(source) {}
  waiting(waiting&&) noexcept = default;
  ~waiting() = default;

  mutex& source_;
  // Guarded by the mutex's lock. The task reads it without the lock when it is resumed.
  bool is_owner_ = false;

 private:
  friend mutex;
};

/// What lock() returns, to be awaited once and at once.
class [[nodiscard]] mutex::acquisition : private waiting {
 public:
  explicit acquisition(mutex& source) noexcept : waiting(operations_of<acquisition>, source) {}

  [[nodiscard]] bool await_ready() {
    static_cast<void>(detail::this_worker("a mutex to be locked in a task on a runtime"));
    once_.begin();
    return is_owner_ = source_.waiters_.try_mark();
  }
  [[nodiscard]] bool await_suspend(detail::task_coroutine suspended) {
    return suspend(suspended, [this] { return !source_.give_or_enqueue(*this); });
  }
  /// When a cancel request has come after the mutex, resume() throws, and `locked` passes the mutex
  /// on.
  guard await_resume() {
    guard locked;
    if (is_owner_) locked = guard(source_);
    resume();
    return locked;
  }

 private:
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  void describe(detail::wait_descriptions& into) const noexcept;

  detail::single_await once_;
};

inline mutex::acquisition mutex::lock() noexcept { return acquisition(*this); }

inline mutex::guard mutex::try_lock() noexcept {
  return waiters_.try_mark() ? guard(*this) : guard();
}

}  // namespace magpie
