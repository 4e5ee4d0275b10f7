#pragma once

#include <cstddef>
#include <magpie/semaphore.hpp>

namespace magpie {

/// Lets any number of readers, or one writer, into a part of the program that may suspend.
///
///     magpie::shared_mutex table_lock;
///     const magpie::permit reading = co_await table_lock.lock_shared();
///     const magpie::permit writing = co_await table_lock.lock();
///
/// It is a semaphore of which a reader takes one permit and a writer all of them. So it is first
/// come, first served: a reader that comes after a writer waits behind it, and neither starves. To
/// read, and then to lock while still reading, waits for itself. What is said of a semaphore's
/// lifetime, of cancel requests and of the cost holds here.
///
/// In the standard library: `std::shared_mutex`, which blocks threads. In asyncio: no counterpart.
class shared_mutex {
 public:
  shared_mutex() noexcept = default;

  /// Awaited, waits until nobody else holds the mutex and gives a `permit`, which unlocks it when
  /// it is destroyed.
  [[nodiscard]] semaphore::acquisition lock() noexcept { return permits_.acquire(all); }
  /// The same beside other readers: waits for writers alone.
  [[nodiscard]] semaphore::acquisition lock_shared() noexcept { return permits_.acquire(); }

  /// Locks the mutex if that can be done now; else returns an empty permit. Any thread.
  [[nodiscard]] permit try_lock() noexcept { return permits_.try_acquire(all); }
  [[nodiscard]] permit try_lock_shared() noexcept { return permits_.try_acquire(); }

 private:
  static constexpr std::size_t all = std::size_t{1} << 32;

  semaphore permits_{all};
};

}  // namespace magpie
