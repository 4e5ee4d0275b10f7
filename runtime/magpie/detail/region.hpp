#pragma once

#include <coroutine>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/job.hpp>
#include <magpie/detail/pool_job.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/thread_annotations.hpp>

namespace magpie::detail {

/// An abort_scope that others use while its body runs: a timer, and threads that bring the scope's
/// own request to what runs within. Each *holds* the region, under its lock, before it goes on
/// without the lock, and lets it go in the end. The awaiter goes on when the body has ended and
/// nobody holds the region; the last of them makes it ready.
class region : public abort_scope {
 protected:
  region() noexcept = default;
  ~region() = default;

  void hold() noexcept MAGPIE_REQUIRES(this) { ++holders_; }
  /// Returns the job to submit to home(), that of the awaiter, or null. The region may be gone when
  /// the lock is released, unless it returns the job.
  [[nodiscard]] job* let_go() noexcept MAGPIE_REQUIRES(this) {
    return --holders_ == 0 && has_ended_ ? &resumption_ : nullptr;
  }
  /// Returns true once the body has ended. Nothing begins to hold the region then.
  [[nodiscard]] bool has_ended() const noexcept MAGPIE_REQUIRES(this) { return has_ended_; }
  /// For the end function. Returns the coroutine to resume.
  [[nodiscard]] std::coroutine_handle<> note_end() noexcept MAGPIE_REQUIRES(this);

  // For a holder that has marked a request: brings it to what runs within, and lets the region go.

  void notify_and_let_go() noexcept;
  /// The same on the timekeeper's thread. Another thread does what may take long. Returns the job
  /// to submit, or null.
  [[nodiscard]] job* notify_in_part() noexcept;

  /// The scheduler of the task. While the body runs, or for a holder.
  [[nodiscard]] scheduler& home() noexcept;

 private:
  /// What is left of the way of a request.
  struct rest_of_round : pool_job {
    explicit rest_of_round(region& in) noexcept : pool_job(&finish), where(&in) {}

    static void finish(pool_job& self) noexcept;

    region* const where;
    round_place place;
  };

  [[nodiscard]] job* lock_and_let_go() noexcept;

  // Of the awaiter, when it is not resumed at once.
  resumption resumption_;
  rest_of_round rest_{*this};
  unsigned holders_ MAGPIE_GUARDED_BY(this) = 0;
  bool has_ended_ MAGPIE_GUARDED_BY(this) = false;
};

}  // namespace magpie::detail
