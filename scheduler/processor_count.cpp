#include "scheduler/processor_count.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <magpie/detail/scheduler.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace magpie::detail {

namespace fs = std::filesystem;

namespace {

enum class cgroup_version { v1, v2 };

/// One mounted hierarchy. The group `mount_root` and the groups inside it are visible at
/// `mount_point`.
struct hierarchy {
  cgroup_version version;
  fs::path mount_root;
  fs::path mount_point;
};

bool lists(const std::string& comma_separated, const std::string& word) {
  std::istringstream words(comma_separated);
  for (std::string each; std::getline(words, each, ',');) {
    if (each == word) return true;
  }
  return false;
}

/// Returns the hierarchies that may carry a CPU quota, from the lines of proc_pid_mountinfo(5):
/// id parent major:minor root mount-point options [optional fields] - type source super-options
std::vector<hierarchy> cpu_hierarchies(const fs::path& mountinfo) {
  std::vector<hierarchy> found;
  std::ifstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string skipped, root, point, type, super_options;
    words >> skipped >> skipped >> skipped >> root >> point;
    while (words >> skipped && skipped != "-") {
    }
    words >> type >> skipped >> super_options;
    if (type == "cgroup2") found.push_back({cgroup_version::v2, root, point});
    if (type == "cgroup" && lists(super_options, "cpu")) {
      found.push_back({cgroup_version::v1, root, point});
    }
  }
  return found;
}

/// Returns this process's group in the hierarchy, from the lines of /proc/self/cgroup:
/// number:controllers:path, and 0::path for version 2.
std::optional<fs::path> own_group(const fs::path& cgroup, cgroup_version version) {
  std::ifstream lines(cgroup);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool matches =
        version == cgroup_version::v2 ? controllers.empty() : lists(controllers, "cpu");
    if (matches) return line.substr(second + 1);
  }
  return std::nullopt;
}

/// Returns the quota that the group's own files set. A quota of "max" or -1 is none.
std::optional<double> quota_of(const fs::path& group, cgroup_version version) {
  double quota = 0;
  double period = 0;
  if (version == cgroup_version::v2) {
    std::ifstream(group / "cpu.max") >> quota >> period;
  } else {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

}  // namespace

std::optional<double> cgroup_quota(const fs::path& root) {
  std::optional<double> least;
  for (const hierarchy& each : cpu_hierarchies(root / "proc/self/mountinfo")) {
    const std::optional<fs::path> group = own_group(root / "proc/self/cgroup", each.version);
    if (!group) continue;
    // A container often sees only its own subtree, mounted from mount_root on. If the group is
    // outside of the mounted part, only the mount point itself can be looked at.
    fs::path inside = group->lexically_relative(each.mount_root);
    if (inside.empty() || *inside.begin() == "..") inside = ".";
    const fs::path mount_point = root / each.mount_point.relative_path();
    const auto depth = inside == "." ? 0 : std::distance(inside.begin(), inside.end());
    fs::path directory = depth == 0 ? mount_point : mount_point / inside;
    for (auto level = depth; level >= 0; --level, directory = directory.parent_path()) {
      if (const std::optional<double> quota = quota_of(directory, each.version)) {
        least = std::min(least.value_or(*quota), *quota);
      }
    }
  }
  return least;
}

void pin_this_thread(std::size_t index) noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  auto left = index % static_cast<std::size_t>(std::max(1, CPU_COUNT(&allowed)));
  for (std::size_t processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &allowed) || left-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    static_cast<void>(::sched_setaffinity(0, sizeof(one), &one));
    return;
  }
}

std::size_t available_processors() {
  std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    processors = static_cast<std::size_t>(std::max(1, CPU_COUNT(&allowed)));
  }
  if (const std::optional<double> quota = cgroup_quota("/")) {
    processors = std::min(processors, static_cast<std::size_t>(std::max(1.0, std::ceil(*quota))));
  }
  return processors;
}

}  // namespace magpie::detail
