#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/leaf_wait.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <optional>
#include <utility>

namespace magpie {

class semaphore;

/// Permits of a semaphore that somebody holds; they go back when this is destroyed. Empty after it
/// was moved from. The semaphore outlives it.
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

  /// Whether it holds anything, if only the weight 0.
  explicit operator bool() const noexcept { return source_ != nullptr; }
  [[nodiscard]] std::size_t weight() const noexcept { return source_ != nullptr ? weight_ : 0; }

  /// Gives the permits back now.
  void give_back() noexcept;

  /// Keeps the permits out of the semaphore: who does this releases them, or nobody.
  void detach() noexcept { source_ = nullptr; }

 private:
  friend semaphore;

  permit(semaphore& source, std::size_t weight) noexcept : source_(&source), weight_(weight) {}

  semaphore* source_ = nullptr;
  std::size_t weight_ = 0;
};

/// A number of permits, which tasks take and give back; who finds too few waits.
///
/// First come, first served: nobody passes one who waits, though there be permits enough for the
/// lighter of the two, so a heavy one is not starved. Tasks of several runtimes may share it. It
/// must outlive its permits and its waits: one that is destroyed while somebody waits aborts the
/// program. Whoever was granted the last permit may destroy it. What was done before permits were
/// given back happens before they are granted anew.
///
/// Nothing is allocated. A permit that is free costs a lock and an unlock, and no suspension.
/// In asyncio: `asyncio.Semaphore`, which has no weights, cannot be resized, and needs `async with`
/// where the permit is an object here.
class semaphore {
 public:
  /// What release() does when there would be more permits free than there are in all.
  enum class over_release : unsigned char { allowed, refused };

  /// With that many permits, all free.
  explicit semaphore(std::size_t permits, over_release beyond = over_release::allowed) noexcept
      : free_(as_count(permits)), all_(free_), beyond_(beyond) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;
  ~semaphore();

  class acquisition;

  /// Awaited, waits until `weight` permits are free and all who came earlier have theirs, takes
  /// them, and gives a `permit`. More than there are in all are waited for until there are.
  ///
  /// A cancelled wait ends at once with `cancelled`; what it had been granted by then, or kept
  /// others from, goes to those behind it. Throws invalid_state outside of a task.
  [[nodiscard]] acquisition acquire(std::size_t weight = 1) noexcept;

  /// Any thread: the same if nobody waits and they are free now.
  [[nodiscard]] std::optional<permit> try_acquire(std::size_t weight = 1) noexcept;

  /// Any thread: adds free permits that no `permit` gives back: those of one that was detached, or
  /// new ones, with which a semaphore of 0 counts events. Where over_release is refused, throws
  /// invalid_state, and adds none, when more would be free than there are in all.
  void release(std::size_t count = 1);

  /// Any thread: from now on there are `permits` in all. Additional ones are free at once; missing
  /// ones are withheld as they are given back, and available() is below zero meanwhile.
  void resize(std::size_t permits) noexcept;

  /// How many permits are free, at this moment.
  [[nodiscard]] std::int64_t available() const noexcept;

  /// How many wait, at this moment.
  [[nodiscard]] std::size_t waiting() const noexcept;

 private:
  friend permit;

  static constexpr std::int64_t most = INT64_MAX / 4;

  [[nodiscard]] static std::int64_t as_count(std::size_t permits) noexcept;

  void give_back(std::size_t weight) noexcept;

  // With the lock held.
  [[nodiscard]] bool can_grant(std::int64_t weight) const noexcept { return free_ >= weight; }
  [[nodiscard]] bool take(std::int64_t weight) noexcept;
  void append(acquisition& last) noexcept;
  void unlink(acquisition& gone) noexcept;
  /// Grants all that can be: gives them as a list, which is submitted without the lock.
  [[nodiscard]] detail::job* grant() noexcept;
  static void submit_all(detail::job* granted) noexcept;

  mutable detail::spin_lock lock_;
  // Guarded by the lock.
  std::int64_t free_;
  std::int64_t all_;
  const over_release beyond_;
  std::size_t waiting_ = 0;
  acquisition* first_ = nullptr;
  acquisition* last_ = nullptr;
};

/// What acquire() gives: awaited once, at once.
class [[nodiscard]] semaphore::acquisition : private detail::leaf_wait {
 public:
  acquisition(semaphore& source, std::size_t weight) noexcept
      : leaf_wait(operations_of<acquisition>), source_(source), weight_(as_count(weight)) {}

  [[nodiscard]] bool await_ready();
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended);
  permit await_resume();

 private:
  friend semaphore;
  friend leaf_wait;

  [[nodiscard]] bool withdraw() noexcept;
  [[nodiscard]] static detail::wait_description describe() noexcept {
    return {.what = "semaphore"};
  }

  semaphore& source_;
  const std::int64_t weight_;
  // Guarded by the semaphore's lock; is_granted_ is read by the task when it goes on.
  acquisition* previous_ = nullptr;
  acquisition* following_ = nullptr;
  bool is_granted_ = false;
};

inline semaphore::acquisition semaphore::acquire(std::size_t weight) noexcept {
  return acquisition(*this, weight);
}

inline void permit::give_back() noexcept {
  if (semaphore* const source = std::exchange(source_, nullptr)) source->give_back(weight_);
}

}  // namespace magpie
