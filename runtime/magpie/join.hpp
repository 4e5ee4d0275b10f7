#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <magpie/job.hpp>
#include <magpie/task.hpp>

namespace magpie::detail {

class join;

/// One child of a join: told of the child's end, and the job that runs the children from this one
/// on, when it lies in a fork lane.
struct join_slot : job, completion {
  join_slot() noexcept;
  join_slot(const join_slot&) = delete;
  join_slot& operator=(const join_slot&) = delete;

  template <class T>
  void attach(join& parent, const task<T>& lazy) noexcept {
    const auto frame = task_access::frame(lazy);
    frame.promise().set_continuation(continuation(static_cast<completion&>(*this)));
    owner = &parent;
    child = frame;
  }

  join* owner = nullptr;
  std::coroutine_handle<> child;
  // In a fork lane this slot stands for the children [its index, range_end). Once its child has
  // been started, those after it up to range_end are for its strand alone: none, but for want of
  // memory to offer them. Written by the strand that has the slot.
  std::uint32_t range_end = 0;
  // The first child that the strand running this one has run: see join. Written by the strand
  // before it starts the child.
  std::uint32_t strand_begin = 0;
};

/// Runs the children of one awaiting coroutine, by continuation stealing, and resumes it when all
/// have ended.
///
/// A *strand* is one run of adjacent children, one after the other: a child ends, the strand finds
/// the next child's slot still on top of its worker's fork lane, takes it back and starts it.
/// Nobody stole it, so the join counts nothing, and costs what the lane's push and pop cost. When a
/// thief took the slot, or the worker itself did because a child was suspended, the taker is a new
/// strand.
///
/// A strand that ends takes the number of children that it has run off `unfinished_`, and the one
/// that brings it to zero resumes the parent. A strand that has run all children is alone and does
/// not count at all.
///
/// After R. Blumofe and C. Leiserson, Scheduling Multithreaded Computations by Work Stealing, 1994,
/// for the order (first child first, the rest stealable).
class join {
 public:
  join() noexcept = default;
  join(const join&) = delete;
  join& operator=(const join&) = delete;

  /// For await_suspend of the parent: returns the first child to resume. `count` is at least 1; the
  /// slots are attached, and stay, like this object, until the parent is resumed.
  [[nodiscard]] std::coroutine_handle<> start(join_slot* slots, std::uint32_t count,
                                              std::coroutine_handle<> parent) noexcept;

  /// For await_resume of the parent: throws the failure that came first.
  void rethrow_first_failure() const {
    if (std::exception_ptr* const failure = first_failure_.load(std::memory_order_relaxed))
        [[unlikely]] {
      std::rethrow_exception(*failure);
    }
  }

 private:
  friend join_slot;

  std::coroutine_handle<> run_range(worker& here, std::uint32_t begin, std::uint32_t end,
                                    std::uint32_t strand_begin) noexcept;
  std::coroutine_handle<> child_ended(join_slot& slot, std::exception_ptr* failure) noexcept;

  static void run_stolen(job& self, worker& here) noexcept;
  static std::coroutine_handle<> on_child_end(completion& self,
                                              std::exception_ptr* failure) noexcept;

  join_slot* slots_ = nullptr;
  std::coroutine_handle<> parent_;
  void* task_ = nullptr;
  std::uint32_t count_ = 0;
  // Children whose strands have not ended. From count_ to 0 by fetch_sub(acq_rel), so that whoever
  // resumes the parent has all children's results behind it.
  std::atomic<std::uint32_t> unfinished_{0};
  // Null, then for good the exception of the first child that failed: moved once, by
  // compare-exchange. Read by the parent when all strands have ended, which unfinished_ orders.
  std::atomic<std::exception_ptr*> first_failure_{nullptr};
};

}  // namespace magpie::detail
