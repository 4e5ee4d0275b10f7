#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/failure_word.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/worker.hpp>

namespace magpie::detail {

class cancel_scope;

/// Runs the children of one awaiting coroutine by continuation stealing, and resumes the parent
/// when all have ended. runtime/join.md has the proof.
///
/// The children run one after the other. While one runs, the *rest*, all that have not been
/// started, lies in the worker's fork lane as one job: the join itself. A child that ends looks for
/// the join there. If it finds it, no other thread is involved in this join, and the next child
/// starts at the cost of the lane's push and pop. A thief that takes the rest begins a new
/// *strand*: a run of children one after the other. So does the worker's own loop when it takes the
/// rest after a child has suspended. Hence there is one strand more than there were takings.
///
/// One strand ends with the last child. It alone holds the join then, and knows how often the rest
/// was taken. Each other strand ends with a child that did not find the rest. `missing_` sums up:
/// the strand with the last child adds the number of takings, and each other strand subtracts one.
/// The strand that brings the sum to zero once the takings are in it resumes the parent. Without
/// takings nothing is counted.
///
/// The order (first child first, the rest stealable) is that of R. Blumofe and C. Leiserson,
/// Scheduling Multithreaded Computations by Work Stealing, 1994. The count without a lock is that
/// of F. Schmaus et al., Nowa: A Wait-Free Continuation-Stealing Concurrency Platform, IPDPS 2021.
class join : public job {
 public:
  join() noexcept : job(&run_taken) {}
  join(const std::uintptr_t* children, std::uint32_t count) noexcept
      : job(&run_taken), children_(children), count_(count) {}
  join(const join&) = delete;
  join& operator=(const join&) = delete;

  // Before the start: sets the children, and what follows them.

  /// A child is a coroutine's frame, or a join below this one. `children` are `count` words, at
  /// least 1, made by child_frame() and child_join(). They and this object stay until the parent
  /// resumes.
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

  /// Returns the continuation of child number `index`.
  [[nodiscard]] continuation continuation_of(std::uint32_t index) noexcept {
    return {*this, index + 1 == count_ ? continuation::child::last : continuation::child::earlier};
  }

  /// Starts the children. Returns the coroutine to resume on this worker. The arguments repeat the
  /// first child and the number of children, which the caller knows at compile time.
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

  /// start(), out of line.
  [[nodiscard]] static std::coroutine_handle<> start_below(join& below, worker& here) noexcept;

  // When a child has ended.

  /// For a child that failed: notes it in the topmost join, unless another failure came first.
  void note_failure(failure_word& failure) noexcept;
  /// Returns the coroutine to resume on this worker. `then` ends a child of a join.
  [[nodiscard, gnu::always_inline]] static std::coroutine_handle<> child_ended(
      const continuation& then) noexcept {
    join& target = *then.target_join();
    return then.is_earlier_child() ? target.earlier_child_ended() : target.last_child_ended();
  }

  /// Returns the scope of the parent. Only after the start.
  [[nodiscard]] cancel_scope& scope() const noexcept {
    return *static_cast<cancel_scope*>(context_);
  }

  /// For await_resume of the parent: throws the failure that came first.
  void rethrow_first_failure() const {
    if (failure_word* const failure = first_failure_.load(std::memory_order_relaxed)) [[unlikely]]
      std::rethrow_exception(failure->take_failure());
  }

 protected:
  /// A join with another way to run the next child. `run_rest` runs a rest that was taken.
  explicit join(job::function run_rest) noexcept : job(run_rest) {}

  // The steps of a strand. Only the holder of the rest may touch the rest.

  /// Before the start, on the parent's worker.
  void set_context(worker& here) noexcept { context_ = here.context(); }
  /// Notes that the rest was taken, by a new strand on this worker.
  void begin_strand(worker& here) noexcept {
    ++takings_;
    here.set_context(context_);
  }
  [[nodiscard]] bool has_next() const noexcept { return next_ != count_; }
  [[nodiscard]] std::uint32_t next() const noexcept { return next_; }
  void skip_next() noexcept { ++next_; }
  /// Runs `child`, the next one, and gives the rest away.
  [[nodiscard]] std::coroutine_handle<> run_as_next(worker& here, std::uintptr_t child) noexcept {
    if (++next_ != count_) {
      const auto forked = here.fork(*this);
      if (forked != fork_lane::push_result::calm) [[unlikely]]
        return run_after_settling(here, forked, child);
    }
    return run(here, child);
  }
  /// For a child that ended and was not the last: returns true if the rest is the caller's again.
  [[nodiscard]] bool take_rest_back(worker& here) noexcept {
    const auto unforked = here.unfork(*this);
    return unforked == fork_lane::pop_if_result::popped ||
           (unforked == fork_lane::pop_if_result::marked && here.settle_unfork());
  }
  /// Ends a strand that did not get the rest back. Returns the coroutine to resume.
  [[nodiscard]] std::coroutine_handle<> strand_ended() noexcept;
  /// Ends the strand of the last child. Returns the coroutine to resume.
  [[nodiscard]] std::coroutine_handle<> last_child_ended() noexcept {
    if (takings_ == 0 && parent_.is_awaiter()) [[likely]]
      return parent_.awaiter();
    return last_strand_ended();
  }

 private:
  static constexpr std::uintptr_t is_join = 1;

  [[nodiscard]] std::coroutine_handle<> run_next(worker& here) noexcept {
    return run_as_next(here, children_[next_]);
  }

  [[nodiscard, gnu::always_inline]] static std::coroutine_handle<> run(
      worker& here, std::uintptr_t child) noexcept {
    if ((child & is_join) != 0) [[unlikely]]
      return start_below(*reinterpret_cast<join*>(child & ~is_join), here);
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(child));
  }

  [[nodiscard]] std::coroutine_handle<> earlier_child_ended() noexcept;

  [[nodiscard]] std::coroutine_handle<> run_after_settling(worker& here,
                                                           fork_lane::push_result forked,
                                                           std::uintptr_t child) noexcept;
  [[nodiscard]] std::coroutine_handle<> last_strand_ended() noexcept;
  [[nodiscard]] static std::coroutine_handle<> go_on(const continuation& parent) noexcept;
  static void run_taken(job& self, worker& here) noexcept;

  continuation parent_;
  void* context_;  // of the parent, and so of the children; set by start()
  const std::uintptr_t* children_ = nullptr;
  // next_: the first child that has not been started. takings_: how often the rest has been taken.
  // Both belong to the holder of the rest, and go with the rest through the lanes, which acquire
  // and release.
  std::uint32_t next_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t takings_ = 0;
  // 0 at first. Each strand that ends without the last child subtracts one; the strand with the
  // last child adds takings_, once. 0 again after that: all have ended. Every move acquires and
  // releases, so the strand that resumes the parent has all children's results behind it.
  std::atomic<std::int32_t> missing_{0};
  // Null, then for good the failure of the first child that failed. Moved once, by
  // compare-exchange, in the topmost join. The parent reads it when all strands have ended, which
  // missing_ orders.
  std::atomic<failure_word*> first_failure_{nullptr};
};

}  // namespace magpie::detail
