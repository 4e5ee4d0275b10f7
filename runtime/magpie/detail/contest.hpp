#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/end_hook.hpp>
#include <magpie/detail/failure_word.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/join.hpp>
#include <magpie/detail/worker.hpp>
#include <span>
#include <vector>

namespace magpie::detail {

/// What decides a contest: the first end of a contender, or the first value.
enum class decided_by : unsigned char { end, value };

/// One of the coroutines of a contest. Lives in what awaits the contest.
class contender final : public end_hook {
 public:
  /// When a contender begins that has not begun yet: it does not, once the contest is decided.
  /// Unless it awaits what runs already, which has to be cancelled.
  enum class beginning : unsigned char { in_time, always };

  contender(std::coroutine_handle<> frame, beginning when) noexcept
      : frame_(frame), begins_(when) {}

  [[nodiscard]] std::coroutine_handle<> frame() const noexcept { return frame_; }

 private:
  friend class contest;

  std::coroutine_handle<> frame_;
  contender* failed_before_ = nullptr;
  beginning begins_;
};

/// A join whose children are contenders: one of them wins, and that cancels the others. It runs
/// them in a scope of its own, one strand after the other as any join does. runtime/join.md has the
/// proof.
class contest final : public join {
 public:
  explicit contest(decided_by what) noexcept : join(&run_taken), decided_by_(what) {}

  /// For await_suspend of `parent`. There is at least one contender; the first continuation of each
  /// is set here. They stay until the parent resumes. Returns the coroutine to resume.
  [[nodiscard]] std::coroutine_handle<> start(std::coroutine_handle<> parent,
                                              std::span<contender> contenders) noexcept;

  /// For await_resume, when all contenders have ended. Throws `cancelled` if there is a cancel
  /// request to deliver to the parent. Returns the number of the winner, which holds its value or,
  /// where the first end decides, its failure. Throws an exception_group of all failures if nobody
  /// has won.
  [[nodiscard]] std::size_t winner();

 private:
  [[nodiscard]] static std::coroutine_handle<> contender_ended(
      end_hook& self, const failure_word& failure) noexcept;
  static void run_taken(job& self, worker& here) noexcept;
  [[nodiscard]] std::coroutine_handle<> run_next_in_time(worker& here) noexcept;
  void note_end(contender& ended, bool has_failed) noexcept;
  [[nodiscard]] std::vector<std::exception_ptr> failures() const;

  std::span<contender> contenders_;
  const decided_by decided_by_;
  abort_scope scope_;
  // Null, then the winner for good, by compare-exchange.
  std::atomic<contender*> winner_{nullptr};
  // Of those that failed and did not win: the last one, from which the others hang. It only grows.
  // As with winner_, the end of the join publishes to the parent what hangs there, so the moves are
  // relaxed.
  std::atomic<contender*> failed_{nullptr};
};

}  // namespace magpie::detail
