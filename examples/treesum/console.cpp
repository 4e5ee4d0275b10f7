#include "console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <system_error>

#include "printable.hpp"

namespace treesum {
namespace {

constexpr std::string_view erase_line = "\r\x1b[K";

// One write a line, so that lines of several processes on one terminal stay whole. When standard
// error itself fails, nobody is left to be told.
void write_out(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

void console::problem(std::string_view path, std::string_view what) {
  problems_.fetch_add(1, std::memory_order_relaxed);
  line(printable(path) + ": " + std::string(what));
}

void console::problem(std::string_view path, std::string_view what, int error) {
  problem(path, std::string(what) + ": " + std::generic_category().message(error));
}

void console::line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  erase_progress();
  write_out("treesum: " + std::string(text) + "\n");
}

void console::show_progress(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (progress_ended_) return;
  // A line that reached the right edge would wrap, and could not be erased.
  const std::string_view fitting = text.substr(0, std::max<std::size_t>(terminal_width(), 2) - 1);
  write_out(std::string(erase_line) + std::string(fitting));
  progress_shown_ = true;
}

std::unique_lock<std::mutex> console::without_progress() {
  std::unique_lock lock(mutex_);
  erase_progress();
  return lock;
}

void console::end_progress() {
  const std::lock_guard lock(mutex_);
  erase_progress();
  progress_ended_ = true;
}

bool console::is_terminal() noexcept { return ::isatty(STDERR_FILENO) == 1; }

void console::erase_progress() {
  if (!progress_shown_) return;
  write_out(erase_line);
  progress_shown_ = false;
}

}  // namespace treesum
