#include "file_stream.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "stop.hpp"

namespace treesum {
namespace {

using steady = std::chrono::steady_clock;

// Small enough that the bytes are still in the cache when they are hashed, large enough that the
// way to another thread and back (some 10 us) is short against what it brings.
constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;

// Files that come slowly, from a disk, do not wait to be hashed until many have come.
constexpr std::chrono::milliseconds reading_slice{5};

// Also bounds the time between two looks at the stop request when files are tiny.
constexpr std::size_t most_pieces = 256;

/// Negative when the file was not to be had, which has been reported.
int open_regular_file(const std::string& path, struct stat& status, console& problems) {
  // NONBLOCK and NOFOLLOW: since the listing it may have become a pipe or a link.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ELOOP) {
      problems.problem(path, "has become a symbolic link");
    } else {
      problems.problem(path, "cannot open it", errno);
    }
    return descriptor;
  }
  if (::fstat(descriptor, &status) != 0) {
    problems.problem(path, "cannot look at it", errno);
  } else if (!S_ISREG(status.st_mode)) {
    problems.problem(path, "is no longer a regular file");
  } else {
    return descriptor;
  }
  ::close(descriptor);
  return -1;
}

}  // namespace

file_stream::file_stream(catalogue& files, console& problems)
    : files_(files),
      problems_(problems),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes)) {
  pieces_.reserve(most_pieces);
}

file_stream::~file_stream() {
  if (descriptor_ >= 0) close_file();
}

std::span<const piece> file_stream::read() {
  pieces_.clear();
  filled_ = 0;
  auto started = steady::now();
  const auto latest = started + reading_slice;
  while (filled_ < buffer_bytes && pieces_.size() < most_pieces && started < latest &&
         !stop_requested()) {
    if (descriptor_ < 0 && !open_next()) break;
    const std::size_t begin = filled_;
    const piece_end end = read_until_full();
    pieces_.push_back({file_, {buffer_.get() + begin, filled_ - begin}, end});
    if (end != piece_end::file_goes_on) close_file();
    const auto now = steady::now();
    files_.record(file_).time += now - started;
    started = now;
  }
  return pieces_;
}

bool file_stream::open_next() {
  while (!stop_requested()) {
    file_ = files_.claim();
    if (file_ == files_.size()) return false;
    struct stat status{};
    descriptor_ = open_regular_file(files_.path(file_), status, problems_);
    if (descriptor_ >= 0) {
      expected_bytes_ = static_cast<std::uint64_t>(status.st_size);
      return true;
    }
    files_.record(file_).state.store(file_state::failed, std::memory_order_release);
  }
  return false;
}

piece_end file_stream::read_until_full() {
  std::uint64_t& bytes = files_.record(file_).bytes;
  while (filled_ < buffer_bytes) {
    const std::size_t room = buffer_bytes - filled_;
    const ssize_t count = ::read(descriptor_, buffer_.get() + filled_, room);
    if (count < 0) {
      if (errno == EINTR) continue;
      problems_.problem(files_.path(file_), "cannot read it", errno);
      return piece_end::file_failed;
    }
    filled_ += static_cast<std::size_t>(count);
    bytes += static_cast<std::uint64_t>(count);
    // Less than asked for, and all that the file said it had: no further call has to prove the end.
    // Files of /proc and /sys say something else than they have, and are read until nothing comes.
    const bool short_at_size = static_cast<std::size_t>(count) < room && bytes == expected_bytes_;
    if (count == 0 || short_at_size) return piece_end::file_complete;
  }
  return piece_end::file_goes_on;
}

void file_stream::close_file() {
  ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace treesum
