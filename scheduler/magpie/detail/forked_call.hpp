#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <magpie/detail/job.hpp>

namespace magpie::detail {

class worker;

/// A forked job that lies on its forker's stack. The forker waits for it there.
class forked_call : public job {
 public:
  explicit forked_call(function run_function) noexcept : job(run_function) {}

  /// The thief calls it before the call: the waiting forker learns which thief to help.
  void begin(worker& thief) noexcept { thief_.store(&thief, std::memory_order_release); }

  /// The thief calls it after the call: the forker may go on, and this object may be gone.
  void end() noexcept;

  // For the forker, while it waits.

  [[nodiscard]] bool is_done() const noexcept {
    return state_.load(std::memory_order_acquire) == is_done_mark;
  }
  /// Null until the thief has begun.
  [[nodiscard]] worker* thief() const noexcept { return thief_.load(std::memory_order_acquire); }

  /// Sleeps until the call is done, but not longer than `time`.
  void doze(std::chrono::microseconds time) noexcept;

 private:
  static constexpr std::uint32_t is_awaited_mark = 1;
  static constexpr std::uint32_t is_done_mark = 2;

  // null -> the worker that runs the call, by that worker, once (release). The forker reads it
  // (acquire).
  std::atomic<worker*> thief_{nullptr};
  // 0: the call is not done.
  // is_awaited_mark: it is not done, and the forker sleeps on this word, or is about to.
  //   0 -> is_awaited_mark by the forker.
  // is_done_mark: it is done; the word does not change any more. Both others -> is_done_mark by the
  //   thief (release). The forker acquires it and sees what the call did.
  std::atomic<std::uint32_t> state_{0};
};

}  // namespace magpie::detail
