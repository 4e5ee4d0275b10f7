#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/worker.hpp>

namespace magpie::detail {

/// Runs the children of one awaiting coroutine, by continuation stealing, and goes on with the
/// parent when all have ended.
///
/// The children are run one after the other. While one runs, the *rest*, all that have not been
/// started, lies in the worker's fork lane as one job: the join itself. A child that ends looks for
/// it there, and when it finds it, nobody else has anything to do with this join: the next child is
/// started at the cost of the lane's push and pop. A thief that takes the rest, or the worker's own
/// loop when a child was suspended, begins a new *strand*: a run of children one after the other.
/// So there is one strand more than there were takings.
///
/// One strand ends with the last child; it alone holds the join then, and knows how often the rest
/// was taken. Each other strand ends with a child that did not find the rest. `missing_` sums up:
/// plus the number of takings, by the strand with the last child; minus one by each other. Whoever
/// brings the sum to zero once the takings are in it goes on with the parent. Without takings
/// nothing is counted.
///
/// The order (first child first, the rest stealable) is that of R. Blumofe and C. Leiserson,
/// Scheduling Multithreaded Computations by Work Stealing, 1994; the count without a lock that of
/// F. Schmaus et al., Nowa: A Wait-Free Continuation-Stealing Concurrency Platform, IPDPS 2021.
class alignas(16) join final : public job {
 public:
  join() noexcept : job(&run_taken) {}
  join(const std::uintptr_t* children, std::uint32_t count) noexcept
      : job(&run_taken), children_(children), count_(count) {}
  join(const join&) = delete;
  join& operator=(const join&) = delete;

  // Before the start: what the children are, and what follows them.

  /// A child is a coroutine's frame, or a join below this one. `children` are `count` words, at
  /// least 1, of child_frame() and child_join(). They stay, like this object, until the parent goes
  /// on.
  void set_children(const std::uintptr_t* children, std::uint32_t count) noexcept {
    children_ = children;
    count_ = count;
  }
  void set_parent(continuation parent) noexcept { parent_ = parent; }
  [[nodiscard]] const continuation& parent() const noexcept { return parent_; }

  [[nodiscard]] static std::uintptr_t child_frame(std::coroutine_handle<> frame) noexcept {
    return reinterpret_cast<std::uintptr_t>(frame.address());
  }
  [[nodiscard]] static std::uintptr_t child_join(join& below) noexcept {
    return reinterpret_cast<std::uintptr_t>(&below) | is_join;
  }

  /// What the child number `index` gets as its continuation.
  [[nodiscard]] continuation continuation_of(std::uint32_t index) noexcept {
    return {*this, index + 1 == count_ ? continuation::child::last : continuation::child::earlier};
  }

  /// Starts: returns the coroutine to resume on this worker. The arguments repeat the first child
  /// and the number of children, which the caller knows at compile time.
  [[nodiscard, gnu::always_inline]] std::coroutine_handle<> start(worker& here,
                                                                  std::uintptr_t first,
                                                                  std::uint32_t count) noexcept {
    context_ = here.context();
    next_ = 1;
    if (count != 1) {
      const auto forked = here.fork(*this);
      if (forked != fork_lane::push_result::calm) [[unlikely]]
        return run_after_settling(here, forked, first);
    }
    return run(here, first);
  }

  /// The same, out of line.
  [[nodiscard]] static std::coroutine_handle<> start_below(join& below, worker& here) noexcept;

  /// What the parent runs in, once started.
  [[nodiscard]] cancel_scope& scope() const noexcept {
    return *static_cast<cancel_scope*>(context_);
  }

  /// For await_resume of the parent: throws the failure that came first.
  void rethrow_first_failure() const {
    if (std::exception_ptr* const failure = first_failure_.load(std::memory_order_relaxed))
        [[unlikely]] {
      std::rethrow_exception(*failure);
    }
  }

 private:
  friend std::coroutine_handle<> proceed(continuation then, std::exception_ptr& failure) noexcept;

  static constexpr std::uintptr_t is_join = 1;

  [[nodiscard]] std::coroutine_handle<> run_next(worker& here) noexcept {
    const std::uintptr_t child = children_[next_];
    if (++next_ != count_) {
      const auto forked = here.fork(*this);
      if (forked != fork_lane::push_result::calm) [[unlikely]]
        return run_after_settling(here, forked, child);
    }
    return run(here, child);
  }

  [[nodiscard, gnu::always_inline]] static std::coroutine_handle<> run(
      worker& here, std::uintptr_t child) noexcept {
    if ((child & is_join) != 0) [[unlikely]]
      return start_below(*reinterpret_cast<join*>(child & ~is_join), here);
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(child));
  }

  [[nodiscard]] std::coroutine_handle<> earlier_child_ended() noexcept;

  [[nodiscard]] std::coroutine_handle<> last_child_ended() noexcept {
    if (takings_ == 0 && parent_.is_awaiter()) [[likely]]
      return parent_.awaiter();
    return last_strand_ended();
  }

  [[nodiscard]] std::coroutine_handle<> run_after_settling(worker& here,
                                                           fork_lane::push_result forked,
                                                           std::uintptr_t child) noexcept;
  [[nodiscard]] std::coroutine_handle<> earlier_child_ended_slowly(
      worker& here, fork_lane::pop_if_result unforked) noexcept;
  [[nodiscard]] std::coroutine_handle<> last_strand_ended() noexcept;
  void note_failure(std::exception_ptr& failure) noexcept;
  static void run_taken(job& self, worker& here) noexcept;

  continuation parent_;
  void* context_;  // of the parent, and so of the children; set by the start
  const std::uintptr_t* children_ = nullptr;
  // The first child that has not been started, and how often the rest has been taken: both belong
  // to whoever has the rest, and go over with it through the lanes.
  std::uint32_t next_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t takings_ = 0;
  // 0, minus one for each strand that ended without the last child, plus takings_ once by the
  // strand with the last child. 0 again after that: all have ended. Every move is acquire and
  // release, so that whoever goes on with the parent has all children's results behind it.
  std::atomic<std::int32_t> missing_{0};
  // Null, then for good the exception of the first child that failed: moved once, by
  // compare-exchange, in the topmost join. Read by the parent when all strands have ended, which
  // missing_ orders.
  std::atomic<std::exception_ptr*> first_failure_{nullptr};
};

}  // namespace magpie::detail
