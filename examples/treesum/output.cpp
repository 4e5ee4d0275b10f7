#include "output.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>

#include "stop.hpp"

namespace treesum {
namespace {

// A pipe takes so much at once or not at all.
constexpr std::size_t block_bytes = PIPE_BUF;

constexpr int patience_milliseconds = 20;

}  // namespace

output::output(console& screen) : screen_(screen), to_terminal_(::isatty(STDOUT_FILENO) == 1) {
  lines_.reserve(block_bytes);
}

void output::add(std::string_view line) {
  if (lines_.size() + line.size() > block_bytes) flush();
  lines_ += line;
}

void output::flush() {
  if (lines_.empty()) return;
  std::unique_lock<std::mutex> no_progress;
  if (to_terminal_) no_progress = screen_.without_progress();
  std::string_view left = lines_;
  while (!left.empty() && error_ == 0 && !stalled_ && wait_for_room()) {
    const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      fail(errno);
    }
  }
  lines_.clear();
}

void output::close() {
  flush();
  // Some file systems report only here that there was no room.
  if (::close(STDOUT_FILENO) != 0 && error_ == 0) fail(errno);
}

bool output::wait_for_room() {
  for (;;) {
    const bool last_try = stop_requested();
    pollfd waiting{STDOUT_FILENO, POLLOUT, 0};
    const int ready = ::poll(&waiting, 1, patience_milliseconds);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) {
      fail(errno);
      return false;
    }
    if (ready == 0 && last_try) {
      stalled_ = true;
      return false;
    }
  }
}

void output::fail(int error) {
  error_ = error;
  request_stop();
}

}  // namespace treesum
