#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <thread>

#include "support/eventually.hpp"

namespace magpie::test {

[[nodiscard]] inline std::string this_thread_name() {
  std::array<char, 16> name{};
  static_cast<void>(::pthread_getname_np(::pthread_self(), name.data(), name.size()));
  return name.data();
}

/// What the kernel says of a thread.
struct thread_status {
  std::string name;
  char state = '?';  // S: sleeps
  long voluntary_switches = 0;

  [[nodiscard]] bool operator==(const thread_status&) const = default;
};

/// The threads of this process's runtimes, by id, whose names begin with `prefix`. A thread gives
/// itself its name when it begins to run.
[[nodiscard]] inline std::map<std::string, thread_status> threads_named(const std::string& prefix) {
  std::map<std::string, thread_status> found;
  std::error_code vanished;  // a thread may end while it is looked at
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", vanished)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.rfind(prefix, 0) != 0) continue;
    thread_status& thread = found[task.path().filename()];
    thread.name = name;
    std::ifstream lines(task.path() / "status");
    for (std::string word; lines >> word;) {
      if (word == "State:") lines >> thread.state;
      if (word == "voluntary_ctxt_switches:") lines >> thread.voluntary_switches;
    }
  }
  return found;
}

/// Waits until the thread of this process with that id, which ::gettid() gives, sleeps.
[[nodiscard]] inline bool comes_to_sleep(pid_t thread) {
  return eventually([path = "/proc/self/task/" + std::to_string(thread) + "/status"] {
    std::ifstream lines(path);
    for (std::string word; lines >> word;) {
      if (word == "State:") return lines >> word && word == "S";
    }
    return false;
  });
}

/// Waits until there are `count` threads of that prefix and all of them sleep for more than a
/// moment, then says how often each went to sleep. A runtime's thread for rounds does not count: it
/// starts when it is needed. Empty when that never comes.
[[nodiscard]] inline std::map<std::string, thread_status> once_asleep(const std::string& prefix,
                                                                      std::size_t count) {
  std::map<std::string, thread_status> seen;
  const bool sleep = eventually([&] {
    seen = threads_named(prefix);
    const bool all = std::all_of(seen.begin(), seen.end(),
                                 [](const auto& each) { return each.second.state == 'S'; });
    const auto rounds = std::count_if(seen.begin(), seen.end(), [](const auto& each) {
      return each.second.name == "magpie-rounds";
    });
    if (seen.size() - static_cast<std::size_t>(rounds) != count || !all) return false;
    // A look takes some ten microseconds.
    for (int looks = 0; looks < 20; ++looks) {
      std::this_thread::yield();
      if (threads_named(prefix) != seen) return false;
    }
    return true;
  });
  if (!sleep) seen.clear();
  return seen;
}

}  // namespace magpie::test
