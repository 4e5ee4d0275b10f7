#include "progress.hpp"

#include <chrono>
#include <cstdint>
#include <magpie/run_blocking.hpp>
#include <magpie/sleep.hpp>
#include <string>

#include "numbers.hpp"

namespace treesum {
namespace {

using namespace std::chrono_literals;

constexpr auto redraw_interval = 100ms;

std::string time_left(std::uint64_t bytes, double bytes_per_second) {
  if (bytes_per_second <= 0) return "time left unknown";
  return duration_text(static_cast<double>(bytes) / bytes_per_second) + " left";
}

std::string progress_text(const tree_sum& job) {
  const std::uint64_t found_files = job.found().files.load(std::memory_order_relaxed);
  const std::uint64_t found_bytes = job.found().bytes.load(std::memory_order_relaxed);
  if (job.files() == nullptr)
    return "found " + std::to_string(found_files) + " files, " + megabytes(found_bytes) + " MB ...";

  const std::uint64_t files = job.hashed().files.load(std::memory_order_relaxed);
  const std::uint64_t bytes = job.hashed().bytes.load(std::memory_order_relaxed);
  const std::chrono::duration<double> elapsed = tree_sum::clock::now() - job.hashing_since();
  const double speed = static_cast<double>(bytes) / elapsed.count();
  // Files that grew make more of the bytes than were found.
  const std::uint64_t bytes_left = found_bytes > bytes ? found_bytes - bytes : 0;
  return std::to_string(files) + " of " + std::to_string(found_files) + " files, " +
         megabytes(bytes) + " of " + megabytes(found_bytes) + " MB, " + one_decimal(speed / 1e6) +
         " MB/s, " + time_left(bytes_left, speed);
}

}  // namespace

magpie::task<> show_progress(const tree_sum& job, console& screen) {
  // A terminal may block, too.
  auto draw = [&] { screen.show_progress(progress_text(job)); };
  for (;;) {
    co_await magpie::sleep_for(redraw_interval);
    co_await magpie::run_blocking(draw);
  }
}

}  // namespace treesum
