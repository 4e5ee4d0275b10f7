#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/wait_list.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace magpie {

class semaphore;

/// What semaphore::release() does when more permits would be free than there are in all.
enum class over_release : unsigned char { allowed, refused };

struct semaphore_options {
  over_release beyond = over_release::allowed;
  /// Shown in reports, beside those that wait.
  std::string_view name = {};
};

/// Holds permits of a semaphore, and gives them back when it is destroyed. Empty when it was moved
/// from. The semaphore must outlive it.
class [[nodiscard]] permit {
 public:
  permit() noexcept = default;
  permit(permit&& other) noexcept
      : source_(std::exchange(other.source_, nullptr)), weight_(other.weight_) {}
  permit& operator=(permit&& other) noexcept {
    if (this != &other) {
      give_back();
      source_ = std::exchange(other.source_, nullptr);
      weight_ = other.weight_;
    }
    return *this;
  }
  ~permit() { give_back(); }

  /// Whether it holds anything, even of weight 0.
  explicit operator bool() const noexcept { return source_ != nullptr; }
  [[nodiscard]] std::size_t weight() const noexcept { return source_ != nullptr ? weight_ : 0; }

  /// Gives the permits back now.
  void give_back() noexcept;

  /// Lets go of the permits without giving them back. To put them back is the caller's business:
  /// semaphore::release().
  void detach() noexcept { source_ = nullptr; }

 private:
  friend semaphore;

  permit(semaphore& source, std::size_t weight) noexcept : source_(&source), weight_(weight) {}

  semaphore* source_ = nullptr;
  std::size_t weight_ = 0;
};

/// A number of permits, which tasks take and give back. A task that finds too few waits.
///
///     magpie::semaphore connections(10);
///     const magpie::permit held = co_await connections.acquire();  // until the end of the block
///
/// - First come, first served. No task passes an earlier waiter, even if enough permits are free
///   for the lighter of the two. So a heavy waiter is not starved.
/// - Tasks of several runtimes may share it. What was done before permits were given back happens
///   before they are granted anew.
/// - It must outlive its permits and its waits: to destroy it while a task waits aborts the
///   program. The task that was granted the last permit may destroy it.
/// - Nothing is allocated. A free permit costs a lock and an unlock, and no suspension.
///
/// In asyncio: `asyncio.Semaphore`. That has no weights, cannot be resized, and needs `async with`,
/// where here the permit is an object.
class semaphore {
 public:
  /// Has `permits` permits, all of them free.
  explicit semaphore(std::size_t permits) noexcept : free_(as_count(permits)), all_(free_) {}
  /// Throws std::bad_alloc if there is no memory for the name.
  semaphore(std::size_t permits, const semaphore_options& options)
      : free_(as_count(permits)), all_(free_), beyond_(options.beyond) {
    if (!options.name.empty()) name_ = std::make_shared<const std::string>(options.name);
  }
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  ~semaphore();

  class acquisition;

  /// Waits until `weight` permits are free and all earlier waiters have theirs, and takes them.
  ///
  /// Awaited, gives a `permit`. A weight greater than the number of all permits waits until there
  /// are enough. Throws invalid_state outside of a task.
  ///
  /// A cancel request to the awaiting task ends the wait at once with `cancelled`. What the wait
  /// was granted by then, or kept others from, goes to the waiters behind it.
  [[nodiscard]] acquisition acquire(std::size_t weight = 1) noexcept;

  /// Takes `weight` permits if they are free now and no task waits; else returns an empty `permit`.
  /// Any thread.
  [[nodiscard]] permit try_acquire(std::size_t weight = 1) noexcept;

  /// Adds free permits that no `permit` gives back: those of a detached one, or new ones, with
  /// which a semaphore of 0 counts events. If over_release is refused and more would be free than
  /// there are in all, throws invalid_state and adds none. Any thread.
  void release(std::size_t count = 1);

  /// Sets the number of all permits. Additional ones are free at once. Missing ones are withheld as
  /// permits are given back; until then available() may be below zero. Any thread.
  void resize(std::size_t permits) noexcept;

  /// Returns how many permits are free at this moment.
  [[nodiscard]] std::int64_t available() const noexcept;

  /// Returns how many tasks wait at this moment.
  [[nodiscard]] std::size_t waiting() const noexcept;

 private:
  friend permit;

  static constexpr std::int64_t most = INT64_MAX / 4;

  [[nodiscard]] static std::int64_t as_count(std::size_t permits) noexcept;

  void give_back(std::size_t weight) noexcept;

  [[nodiscard]] bool can_grant(std::int64_t weight) const noexcept MAGPIE_REQUIRES(waiters_) {
    return free_ >= weight;
  }
  [[nodiscard]] bool take(std::int64_t weight) noexcept MAGPIE_REQUIRES(waiters_);
  /// Grants what can be granted. Returns the granted waiters as a list, for the caller to submit
  /// without the lock.
  [[nodiscard]] detail::job* grant() noexcept MAGPIE_REQUIRES(waiters_);

  mutable detail::wait_list waiters_;  // each an acquisition
  std::int64_t free_ MAGPIE_GUARDED_BY(waiters_);
  std::int64_t all_ MAGPIE_GUARDED_BY(waiters_);
  const over_release beyond_ = over_release::allowed;
  std::size_t waiting_ MAGPIE_GUARDED_BY(waiters_) = 0;
  std::shared_ptr<const std::string> name_;  // null for none
};

/// What acquire() returns, to be awaited once and at once.
class [[nodiscard]] semaphore::acquisition : private detail::leaf_wait {
 public:
  acquisition(semaphore& source, std::size_t weight) noexcept
      : leaf_wait(operations_of<acquisition>), source_(source), weight_(as_count(weight)) {}

  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(detail::task_coroutine suspended);
  permit await_resume();

 private:
  friend semaphore;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  void describe(detail::wait_descriptions& into) const noexcept;

  semaphore& source_;
  const std::int64_t weight_;
  detail::single_await once_;
  // Guarded by the semaphore's lock. The task reads it without the lock when it is resumed.
  bool is_granted_ = false;
};

inline semaphore::acquisition semaphore::acquire(std::size_t weight) noexcept {
  return acquisition(*this, weight);
}

inline void permit::give_back() noexcept {
  if (semaphore* const source = std::exchange(source_, nullptr)) source->give_back(weight_);
}

}  // namespace magpie
