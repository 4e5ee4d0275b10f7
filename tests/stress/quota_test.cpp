#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <magpie/detail/scheduler.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "support/eventually.hpp"

// available_processors() under limits that the kernel itself has set: child processes in control
// groups made for the purpose. Where they cannot be made, which takes root, the test is skipped.

namespace {

namespace fs = std::filesystem;
using magpie::detail::available_processors;
using magpie::test::eventually;

enum class cgroup_version { v1, v2 };

/// Where the cpu controller of that version is mounted.
std::optional<fs::path> mount_point(cgroup_version version) {
  std::ifstream lines("/proc/self/mounts");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device, point, type, options;
    words >> device >> point >> type >> options;
    if (version == cgroup_version::v1 && type == "cgroup") {
      std::istringstream names(options);
      for (std::string each; std::getline(names, each, ',');) {
        if (each == "cpu") return point;
      }
    }
    if (version == cgroup_version::v2 && type == "cgroup2") {
      std::ifstream names(fs::path(point) / "cgroup.controllers");
      for (std::string each; names >> each;) {
        if (each == "cpu") return point;
      }
    }
  }
  return std::nullopt;
}

[[nodiscard]] bool write(const fs::path& file, const std::string& text) {
  std::ofstream stream(file);
  return static_cast<bool>(stream << text << std::flush);
}

/// A group made for the test, gone at its end.
class control_group {
 public:
  control_group(cgroup_version version, const fs::path& parent, const std::string& name)
      : version_(version), parent_(parent), path_(parent / name) {
    // Version 2 wants to be told that the groups below are to have the controller.
    if (version == cgroup_version::v2 && !fs::exists(parent / "cgroup.subtree_control")) return;
    if (version == cgroup_version::v2) {
      std::ifstream names(parent / "cgroup.subtree_control");
      bool has_cpu = false;
      for (std::string each; names >> each;) has_cpu = has_cpu || each == "cpu";
      if (!has_cpu && !write(parent / "cgroup.subtree_control", "+cpu")) return;
      must_reset_parent_ = !has_cpu;
    }
    std::error_code failure;
    exists_ = fs::create_directory(path_, failure);
  }

  ~control_group() {
    if (exists_) {
      // A process that has just ended keeps its group for a moment.
      EXPECT_TRUE(eventually([this] { return ::rmdir(path_.c_str()) == 0; })) << path_;
    }
    if (must_reset_parent_) {
      EXPECT_TRUE(write(parent_ / "cgroup.subtree_control", "-cpu")) << parent_;
    }
  }

  control_group(const control_group&) = delete;
  control_group& operator=(const control_group&) = delete;

  [[nodiscard]] bool exists() const { return exists_; }
  [[nodiscard]] const fs::path& path() const { return path_; }

  /// Lets the group use `processors`. Period and quota are given in microseconds.
  [[nodiscard]] bool limit(double processors, int period = 100'000) const {
    const std::string quota = std::to_string(std::lround(processors * period));
    if (version_ == cgroup_version::v2) {
      return write(path_ / "cpu.max", quota + " " + std::to_string(period));
    }
    return write(path_ / "cpu.cfs_period_us", std::to_string(period)) &&
           write(path_ / "cpu.cfs_quota_us", quota);
  }

  [[nodiscard]] bool take_in_this_process() const {
    return write(path_ / "cgroup.procs", std::to_string(::getpid()));
  }

 private:
  const cgroup_version version_;
  const fs::path parent_;
  const fs::path path_;
  bool exists_ = false;
  bool must_reset_parent_ = false;
};

/// What available_processors() says in a child process that has done `prepare` before; 0 when that
/// did not succeed.
std::size_t seen_by_child(const std::function<bool()>& prepare) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(prepare() ? static_cast<int>(available_processors()) : 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return static_cast<std::size_t>(WEXITSTATUS(status));
}

std::size_t processors_of_affinity() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  EXPECT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  return static_cast<std::size_t>(CPU_COUNT(&allowed));
}

/// Leaves the process the first of its processors.
[[nodiscard]] bool keep_one_processor() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  CPU_ZERO(&allowed);
  CPU_SET(first, &allowed);
  return ::sched_setaffinity(0, sizeof(allowed), &allowed) == 0;
}

class quota : public testing::TestWithParam<cgroup_version> {
 protected:
  void SetUp() override {
    const std::optional<fs::path> mounted = mount_point(GetParam());
    if (!mounted) GTEST_SKIP() << "no cpu controller of this version is mounted here";
    outer_.emplace(GetParam(), *mounted, "magpie_quota_test_" + std::to_string(::getpid()));
    if (!outer_->exists()) GTEST_SKIP() << "no group can be made in " << *mounted;
    if (!outer_->limit(1)) GTEST_SKIP() << "no quota can be set in " << outer_->path();
    if (seen_by_child([this] { return outer_->take_in_this_process(); }) == 0) {
      GTEST_SKIP() << "no process can be moved to " << outer_->path();
    }
    if (processors_of_affinity() < 2) GTEST_SKIP() << "one processor can be limited no further";
  }

  /// What a quota, rounded up, leaves of the processors that there are.
  static std::size_t expected(double processors) {
    return std::min(static_cast<std::size_t>(std::ceil(processors)), processors_of_affinity());
  }

  std::optional<control_group> outer_;
};

INSTANTIATE_TEST_SUITE_P(cgroup, quota, testing::Values(cgroup_version::v1, cgroup_version::v2),
                         [](const auto& tested) {
                           return tested.param == cgroup_version::v1 ? "v1" : "v2";
                         });

TEST_P(quota, limits_are_rounded_up) {
  for (const double processors : {0.5, 0.9, 1.0, 1.1, 1.5, 2.0}) {
    for (const int period : {100'000, 20'000}) {
      SCOPED_TRACE(processors);
      ASSERT_TRUE(outer_->limit(processors, period));
      EXPECT_EQ(seen_by_child([&] { return outer_->take_in_this_process(); }),
                expected(processors));
    }
  }
}

// The limits are set from the outermost inwards: version 1 takes none above the parent's.
TEST_P(quota, the_least_of_the_group_and_its_parents_counts) {
  ASSERT_TRUE(outer_->limit(2));
  const control_group middle(GetParam(), outer_->path(), "middle");
  const control_group inner(GetParam(), middle.path(), "inner");
  ASSERT_TRUE(inner.exists());
  const auto seen = [&] { return seen_by_child([&] { return inner.take_in_this_process(); }); };
  EXPECT_EQ(seen(), expected(2)) << "the outermost one's";
  ASSERT_TRUE(middle.limit(1.5));
  EXPECT_EQ(seen(), expected(1.5)) << "its parent's";
  ASSERT_TRUE(middle.limit(1));
  EXPECT_EQ(seen(), 1U) << "its parent's, now less";
  ASSERT_TRUE(inner.limit(0.5));
  EXPECT_EQ(seen(), 1U) << "its own";
}

TEST_P(quota, the_outermost_limit_alone_counts) {
  ASSERT_TRUE(outer_->limit(0.5));
  const control_group middle(GetParam(), outer_->path(), "middle");
  const control_group inner(GetParam(), middle.path(), "inner");
  ASSERT_TRUE(inner.exists());
  EXPECT_EQ(seen_by_child([&] { return inner.take_in_this_process(); }), 1U);
}

TEST_P(quota, affinity_counts_beside_it) {
  ASSERT_TRUE(outer_->limit(2));
  EXPECT_EQ(seen_by_child([&] { return outer_->take_in_this_process() && keep_one_processor(); }),
            1U);
}

TEST(affinity, counts_without_a_quota) {
  EXPECT_EQ(seen_by_child([] { return keep_one_processor(); }), 1U);
}

}  // namespace
