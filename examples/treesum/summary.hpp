#pragma once

#include <chrono>
#include <cstdint>
#include <magpie/runtime.hpp>
#include <string>
#include <vector>

#include "tree_sum.hpp"

namespace treesum {

/// One run in figures.
struct summary {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t problems = 0;
  std::chrono::duration<double> walk{0};
  std::chrono::duration<double> hash{0};
  /// Processor time of each worker in relation to the whole time.
  std::vector<double> busy_shares;
  /// 0 when the run was not stopped.
  int stop_signal = 0;

  [[nodiscard]] std::chrono::duration<double> total() const { return walk + hash; }
  [[nodiscard]] double bytes_per_second() const;
};

[[nodiscard]] summary summarise(const tree_sum& job, const console& messages,
                                const magpie::runtime& rt);

/// For a person, in one line.
[[nodiscard]] std::string summary_line(const summary& run);

/// "SIGINT", "SIGTERM"
[[nodiscard]] std::string signal_name(int signal);

}  // namespace treesum
