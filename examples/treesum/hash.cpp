#include "hash.hpp"

#include <algorithm>
#include <chrono>
#include <magpie/gather.hpp>
#include <magpie/run_blocking.hpp>
#include <span>
#include <utility>
#include <vector>

#include "file_stream.hpp"
#include "sha256.hpp"
#include "stop.hpp"

namespace treesum {
namespace {

using steady = std::chrono::steady_clock;

// One is hashed while others are read, and a disk is asked for several files at once. With more
// lanes the buffers no longer fit the processor's cache: 16 in all took a sixth more processor time
// than 8 or 4 did.
constexpr std::size_t lanes_for_each_worker = 4;

void hash_piece(const piece& next, catalogue& files, sha256& hasher, hash_totals& totals) {
  file_record& record = files.record(next.file);
  file_state state = file_state::pending;
  const auto started = steady::now();
  hasher.update(next.bytes);
  if (next.end == piece_end::file_complete) {
    record.sum = hasher.finish();
    state = file_state::hashed;
  } else if (next.end == piece_end::file_failed) {
    hasher.restart();
    state = file_state::failed;
  }
  record.time += steady::now() - started;
  totals.bytes.fetch_add(next.bytes.size(), std::memory_order_relaxed);
  if (state == file_state::hashed) totals.files.fetch_add(1, std::memory_order_relaxed);
  if (state != file_state::pending) record.state.store(state, std::memory_order_release);
}

/// One file after another: its bytes come from threads that may block, the hashing happens here, on
/// a worker. As a lane waits for either, the number of lanes bounds both memory and open files.
magpie::task<> hash_lane(catalogue& files, hash_totals& totals, console& problems) {
  file_stream stream(files, problems);
  sha256 hasher;
  auto read = [&] { return stream.read(); };
  for (;;) {
    const std::span<const piece> pieces = co_await magpie::run_blocking(read);
    if (pieces.empty()) co_return;
    for (const piece& next : pieces) {
      if (stop_requested()) co_return;
      hash_piece(next, files, hasher, totals);
    }
  }
}

}  // namespace

magpie::task<> hash_files(catalogue& files, std::size_t workers, hash_totals& totals,
                          console& problems) {
  const std::size_t lanes =
      std::min({lanes_for_each_worker * workers, most_open_files, files.size()});
  std::vector<magpie::task<>> all;
  all.reserve(lanes);
  for (std::size_t i = 0; i < lanes; ++i) all.push_back(hash_lane(files, totals, problems));
  co_await magpie::gather(std::move(all));
}

}  // namespace treesum
