#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <magpie/detail/job.hpp>

namespace magpie::detail {

class worker;

/// A forked job whose forker waits for it on its own stack, where the job lies too.
class forked_call : public job {
 public:
  explicit forked_call(function run_function) noexcept : job(run_function) {}

  /// The thief, first thing: lets the waiting forker know whom to help.
  void begin(worker& thief) noexcept { thief_.store(&thief, std::memory_order_release); }

  /// The thief, last thing: the forker may go on, and this object may be gone.
  void end() noexcept;

  // The forker, while it waits.

  [[nodiscard]] bool is_done() const noexcept {
    return state_.load(std::memory_order_acquire) == is_done_mark;
  }
  /// Null as long as the thief has not begun.
  [[nodiscard]] worker* thief() const noexcept { return thief_.load(std::memory_order_acquire); }

  /// Sleeps until the call is done, or for that time.
  void doze(std::chrono::microseconds time) noexcept;

 private:
  static constexpr std::uint32_t is_awaited_mark = 1;
  static constexpr std::uint32_t is_done_mark = 2;

  // Null, then the worker that runs the call, which writes it once.
  std::atomic<worker*> thief_{nullptr};
  // 0: not done. is_awaited_mark: not done, and the forker sleeps on this word; moved by the forker
  // from 0. is_done_mark: done, for good; moved by the thief (release; the forker acquires it and
  // sees what the call did).
  std::atomic<std::uint32_t> state_{0};
};

}  // namespace magpie::detail
