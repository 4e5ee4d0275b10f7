#include "support/process.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace bench {

namespace {

[[nodiscard]] nanoseconds to_duration(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

process_usage process_usage::now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {to_duration(usage.ru_utime) + to_duration(usage.ru_stime), usage.ru_nvcsw};
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  check(static_cast<bool>(statm), "/proc/self/statm cannot be read");
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

sample in_child_process(const char* counter_name, const std::function<sample()>& measure) {
  std::array<int, 2> pipe_ends{};
  check(pipe(pipe_ends.data()) == 0, "no pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  check(child >= 0, "no child process");
  std::array<double, 2> result{};
  if (child == 0) {
    const sample measured = measure();
    result = {static_cast<double>(measured.elapsed.count()), measured.counters.at(0).value};
    const bool written = write(pipe_ends[1], result.data(), sizeof result) == sizeof result;
    std::_Exit(written ? 0 : 1);
  }
  close(pipe_ends[1]);
  const bool read_all = read(pipe_ends[0], result.data(), sizeof result) == sizeof result;
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  check(read_all && status == 0, "the child process failed");
  return {nanoseconds(static_cast<std::int64_t>(result[0])), {{counter_name, result[1]}}};
}

}  // namespace bench
