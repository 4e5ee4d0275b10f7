#include "summary.hpp"

#include <csignal>

#include "numbers.hpp"
#include "stop.hpp"

namespace treesum {

double summary::bytes_per_second() const {
  return total().count() > 0 ? static_cast<double>(bytes) / total().count() : 0;
}

summary summarise(const tree_sum& job, const console& messages, const magpie::runtime& rt) {
  const auto now = tree_sum::clock::now();
  const auto walked = job.files() != nullptr ? job.hashing_since() : now;
  summary run;
  run.files = job.hashed().files.load(std::memory_order_relaxed);
  run.bytes = job.hashed().bytes.load(std::memory_order_relaxed);
  run.problems = messages.problems();
  run.walk = walked - job.started();
  run.hash = now - walked;
  run.stop_signal = stop_signal();
  for (const auto& worker : rt.statistics().workers) {
    const std::chrono::duration<double> busy = worker.cpu_time;
    run.busy_shares.push_back(busy / run.total());
  }
  return run;
}

std::string summary_line(const summary& run) {
  std::string text =
      run.stop_signal == 0 ? "" : "stopped by " + signal_name(run.stop_signal) + ": ";
  text += std::to_string(run.files) + " files, " + megabytes(run.bytes) + " MB, " +
          one_decimal(run.bytes_per_second() / 1e6) + " MB/s, " +
          one_decimal(run.total().count() * 1e3) + " ms, " + std::to_string(run.problems) +
          " problems; workers busy:";
  for (const double share : run.busy_shares) text += " " + one_decimal(share * 100) + " %";
  return text;
}

std::string signal_name(int signal) { return signal == SIGINT ? "SIGINT" : "SIGTERM"; }

}  // namespace treesum
