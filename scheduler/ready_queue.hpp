#pragma once

#include <cstddef>
#include <magpie/detail/job.hpp>
#include <memory>

namespace magpie::detail {

/// The ready jobs of a scheduler that are not in a worker's ring. Each worker has a lane here for
/// jobs that do not fit into its ring. All other threads use the shared lanes. All lanes are FIFO.
///
/// The lanes are producer tokens of one moodycamel::ConcurrentQueue. Its try_dequeue may overlook
/// an item while another thread uses the queue, so it never proves emptiness. Therefore each lane
/// keeps its own count, and parking relies on looks_empty().
///
/// No function here fails. A job for which the queue has no memory goes into a list that is linked
/// through the jobs themselves. The list is served after the shared lanes.
class ready_queue {
 public:
  explicit ready_queue(std::size_t workers);
  ~ready_queue();
  ready_queue(const ready_queue&) = delete;
  ready_queue& operator=(const ready_queue&) = delete;

  /// Only the worker `worker` pushes to its lane.
  void push(std::size_t worker, job& item) noexcept;
  /// Any thread. The pushes of one thread stay in order.
  void push_shared(job* const* items, std::size_t count) noexcept;
  /// The same for a job of an expired timer. These jobs have a shared lane to themselves: no flood
  /// of other jobs makes timers late.
  void push_of_timer(job& item) noexcept;

  /// Any thread: takes up to `most` jobs of one lane into `items`, the oldest first, and returns
  /// how many it took.
  [[nodiscard]] std::size_t pop(std::size_t worker, job** items, std::size_t most) noexcept;
  /// The same for the shared lanes. A caller counts its calls, and gives the number of this one: it
  /// decides which lane comes first.
  [[nodiscard]] std::size_t pop_shared(std::size_t turn, job** items, std::size_t most) noexcept;

  /// Returns false while a job has not been taken whose push came before this call, in the order
  /// that the caller's fence makes.
  [[nodiscard]] bool looks_empty() const noexcept;
  [[nodiscard]] bool looks_empty(std::size_t worker) const noexcept;
  [[nodiscard]] bool shared_look_empty() const noexcept;

 private:
  struct lanes;
  const std::unique_ptr<lanes> lanes_;
};

}  // namespace magpie::detail
