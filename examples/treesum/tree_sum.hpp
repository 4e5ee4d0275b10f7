#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <magpie/task.hpp>
#include <memory>
#include <string>
#include <vector>

#include "catalogue.hpp"
#include "completion.hpp"
#include "console.hpp"
#include "hash.hpp"
#include "walk.hpp"

namespace treesum {

/// The whole job: find the files, then hash them. It runs as a task while another thread watches.
class tree_sum {
 public:
  using clock = std::chrono::steady_clock;

  tree_sum(std::vector<std::string> roots, sizes measure, console& problems)
      : roots_(std::move(roots)), measure_(measure), problems_(problems) {}

  /// To be awaited once, on a runtime with this number of workers; this object must outlive it.
  [[nodiscard]] magpie::task<> run(std::size_t workers);

  /// True when run() has ended, by return or exception, or is about to.
  [[nodiscard]] bool wait_for_end(std::chrono::milliseconds limit) { return end_.wait_for(limit); }

  /// Null until all files are found.
  [[nodiscard]] const catalogue* files() const noexcept {
    return published_.load(std::memory_order_acquire);
  }
  [[nodiscard]] clock::time_point started() const noexcept { return started_; }
  /// Meaningful once files() is not null.
  [[nodiscard]] clock::time_point hashing_since() const noexcept { return hashing_since_; }

  [[nodiscard]] const walk_totals& found() const noexcept { return found_; }
  [[nodiscard]] const hash_totals& hashed() const noexcept { return hashed_; }

 private:
  std::vector<std::string> roots_;
  sizes measure_;
  console& problems_;

  walk_totals found_;
  hash_totals hashed_;
  const clock::time_point started_ = clock::now();
  clock::time_point hashing_since_;
  std::unique_ptr<catalogue> files_;
  // Null, then files_.get(), stored once by run() when the catalogue and hashing_since_ are
  // complete; the release pairs with the acquire in files().
  std::atomic<const catalogue*> published_{nullptr};
  completion end_;
};

}  // namespace treesum
