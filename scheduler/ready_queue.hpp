#pragma once

#include <cstddef>
#include <magpie/detail/job.hpp>
#include <memory>

namespace magpie::detail {

/// The ready jobs of a scheduler that wait in no worker's ring: for each worker a lane for what its
/// ring has no room for, and shared lanes for everybody else. All are FIFO.
///
/// The lanes are producer tokens of one moodycamel::ConcurrentQueue. Its try_dequeue may overlook
/// an item while another thread is at work, so it never proves emptiness; each lane therefore keeps
/// its own count, and looks_empty() is what parking relies on.
///
/// Nothing here fails: a job for which the queue has no memory goes into a list, linked through the
/// jobs themselves, that is served after the shared lanes.
class ready_queue {
 public:
  explicit ready_queue(std::size_t workers);
  ~ready_queue();
  ready_queue(const ready_queue&) = delete;
  ready_queue& operator=(const ready_queue&) = delete;

  /// Only the worker `worker` pushes to its lane.
  void push(std::size_t worker, job& item) noexcept;
  /// Any thread; the pushes of one thread stay in order.
  void push_shared(job* const* items, std::size_t count) noexcept;

  /// Any thread: takes up to `most` jobs of one lane into `items`, the oldest first, and returns
  /// how many that were.
  [[nodiscard]] std::size_t pop(std::size_t worker, job** items, std::size_t most) noexcept;
  [[nodiscard]] std::size_t pop_shared(job** items, std::size_t most) noexcept;

  /// False when an item that was pushed before (in the order that the caller's fence makes) has
  /// not been taken yet.
  [[nodiscard]] bool looks_empty() const noexcept;
  [[nodiscard]] bool looks_empty(std::size_t worker) const noexcept;
  [[nodiscard]] bool shared_look_empty() const noexcept;

 private:
  struct lanes;
  const std::unique_ptr<lanes> lanes_;
};

}  // namespace magpie::detail
