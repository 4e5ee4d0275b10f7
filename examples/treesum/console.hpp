#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace treesum {

/// Standard error: lines that stay, and below them one progress line that is drawn over. All
/// members are for any thread; they block while the terminal does.
class console {
 public:
  /// One line about one file or folder, which is named first; counted.
  void problem(std::string_view path, std::string_view what);
  /// The same, with the system's words for `error` (an errno value) behind.
  void problem(std::string_view path, std::string_view what, int error);
  /// A line that is no problem.
  void line(std::string_view text);

  /// Draws the progress line anew.
  void show_progress(std::string_view text);
  /// While the lock is held nothing is drawn, and no progress line stands in the way.
  [[nodiscard]] std::unique_lock<std::mutex> without_progress();

  /// From now on there is no progress line.
  void end_progress();

  [[nodiscard]] std::uint64_t problems() const noexcept {
    return problems_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] static bool is_terminal() noexcept;

 private:
  void erase_progress();

  std::mutex mutex_;
  bool progress_shown_ = false;
  bool progress_ended_ = false;
  // Only counts up. Relaxed: the exit code is decided after the runtime's join with the counters.
  std::atomic<std::uint64_t> problems_{0};
};

}  // namespace treesum
