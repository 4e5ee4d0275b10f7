#include "scheduler/processor_count.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <magpie/detail/scheduler.hpp>
#include <optional>
#include <string>
#include <thread>

namespace {

namespace fs = std::filesystem;
using magpie::detail::available_processors;
using magpie::detail::cgroup_quota;

// A file tree that looks to cgroup_quota() as "/" does.
class processor_count : public testing::Test {
 protected:
  processor_count() {
    std::string name = (fs::temp_directory_path() / "magpie_processor_count_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
  }

  void TearDown() override { fs::remove_all(root_); }

  void file(const fs::path& path, const std::string& text) const {
    const fs::path whole = root_ / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

  void mounts(const std::string& lines) const {
    file("proc/self/mountinfo",
         "22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw\n"
         "28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n" +
             lines);
  }
  void mount_v1(const std::string& group, const std::string& point) const {
    mounts("33 24 0:29 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n34 24 0:30 " +
           group + " " + point +
           " rw,relatime shared:10 master:3 - cgroup cgroup rw,cpu,cpuacct\n");
  }
  void mount_v2(const std::string& group, const std::string& point) const {
    mounts("30 24 0:26 " + group + " " + point + " rw,nsdelegate - cgroup2 cgroup2 rw\n");
  }
  void group(const std::string& lines) const { file("proc/self/cgroup", lines); }

  void quota_v1(const fs::path& directory, const std::string& quota,
                const std::string& period = "100000\n") const {
    file(directory / "cpu.cfs_quota_us", quota);
    file(directory / "cpu.cfs_period_us", period);
  }
  void quota_v2(const fs::path& directory, const std::string& text) const {
    file(directory / "cpu.max", text);
  }

  [[nodiscard]] std::optional<double> quota() const { return cgroup_quota(root_); }

  fs::path root_;
};

TEST_F(processor_count, no_files_at_all_set_no_quota) { EXPECT_EQ(quota(), std::nullopt); }

TEST_F(processor_count, version_2) {
  mount_v2("/", "/sys/fs/cgroup");
  group("0::/service\n");
  quota_v2("sys/fs/cgroup/service", "150000 100000\n");
  EXPECT_EQ(quota(), 1.5);
  quota_v2("sys/fs/cgroup/service", "20000 40000\n");
  EXPECT_EQ(quota(), 0.5);
}

TEST_F(processor_count, version_1) {
  mount_v1("/", "/sys/fs/cgroup/cpu");
  group("5:cpuset:/elsewhere\n4:cpuacct,cpu:/service\n1:name=systemd:/user\n0::/\n");
  quota_v1("sys/fs/cgroup/cpu/service", "250000\n");
  quota_v1("sys/fs/cgroup/cpu/elsewhere", "100000\n");
  EXPECT_EQ(quota(), 2.5);
}

TEST_F(processor_count, version_1_named_by_the_exact_controller) {
  mounts("33 24 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
  group("5:cpuset:/service\n4:cpuacct:/service\n");
  quota_v1("sys/fs/cgroup/cpuset/service", "100000\n");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(processor_count, no_quota_is_max_or_minus_one) {
  mount_v2("/", "/sys/fs/cgroup");
  group("0::/service\n");
  quota_v2("sys/fs/cgroup/service", "max 100000\n");
  EXPECT_EQ(quota(), std::nullopt);

  mount_v1("/", "/sys/fs/cgroup/cpu");
  group("4:cpu,cpuacct:/service\n");
  quota_v1("sys/fs/cgroup/cpu/service", "-1\n");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(processor_count, the_least_of_all_ancestors_counts) {
  mount_v2("/", "/sys/fs/cgroup");
  group("0::/a/b/c\n");
  quota_v2("sys/fs/cgroup/a/b/c", "400000 100000\n");
  quota_v2("sys/fs/cgroup/a/b", "max 100000\n");
  EXPECT_EQ(quota(), 4);
  quota_v2("sys/fs/cgroup/a", "300000 100000\n");
  EXPECT_EQ(quota(), 3);
  quota_v2("sys/fs/cgroup", "200000 100000\n");
  EXPECT_EQ(quota(), 2);
  quota_v2("sys/fs/cgroup/a/b/c", "100000 100000\n");
  EXPECT_EQ(quota(), 1);
  quota_v2("sys/fs", "50000 100000\n");  // above the mount point: no group
  EXPECT_EQ(quota(), 1);
}

TEST_F(processor_count, the_least_of_all_ancestors_counts_in_version_1_too) {
  mount_v1("/", "/sys/fs/cgroup/cpu");
  group("4:cpu,cpuacct:/a/b\n");
  quota_v1("sys/fs/cgroup/cpu/a/b", "-1\n");
  quota_v1("sys/fs/cgroup/cpu/a", "50000\n");
  quota_v1("sys/fs/cgroup/cpu", "-1\n");
  EXPECT_EQ(quota(), 0.5);
}

// Without a cgroup namespace a container's own group carries the path that its host sees, and the
// mount shows only the tree below it.
TEST_F(processor_count, a_container_that_sees_its_own_subtree) {
  group("4:cpu,cpuacct:/docker/0123/inner\n");
  mount_v1("/docker/0123", "/sys/fs/cgroup/cpu");
  quota_v1("sys/fs/cgroup/cpu", "200000\n");
  EXPECT_EQ(quota(), 2);
  quota_v1("sys/fs/cgroup/cpu/inner", "100000\n");
  EXPECT_EQ(quota(), 1);
  quota_v1("sys/fs/cgroup/cpu/docker/0123/inner", "50000\n");  // not what is meant
  EXPECT_EQ(quota(), 1);
}

TEST_F(processor_count, a_container_in_the_root_of_its_mount) {
  group("0::/docker/0123\n");
  mount_v2("/docker/0123", "/sys/fs/cgroup");
  quota_v2("sys/fs/cgroup", "200000 100000\n");
  EXPECT_EQ(quota(), 2);
}

TEST_F(processor_count, a_group_outside_of_the_mount_leaves_the_mount_point) {
  quota_v2("sys/fs/cgroup", "200000 100000\n");
  for (const char* own : {"0::/\n", "0::/docker/4567\n", "0::/../sibling\n"}) {
    SCOPED_TRACE(own);
    group(own);
    mount_v2("/docker/0123", "/sys/fs/cgroup");
    EXPECT_EQ(quota(), 2);
  }
}

TEST_F(processor_count, both_versions_at_once) {
  mounts(
      "34 24 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
      "41 24 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  group("4:cpu,cpuacct:/service\n0::/session\n");
  quota_v1("sys/fs/cgroup/cpu/service", "300000\n");
  EXPECT_EQ(quota(), 3);
  quota_v2("sys/fs/cgroup/unified/session", "200000 100000\n");
  EXPECT_EQ(quota(), 2);
  quota_v1("sys/fs/cgroup/cpu/service", "100000\n");
  EXPECT_EQ(quota(), 1);
}

TEST_F(processor_count, garbage_sets_no_quota) {
  mount_v2("/", "/sys/fs/cgroup");
  group("0::/service\n");
  for (const char* text : {"", "\n", "100000", "hello", "100000 0\n", "0 100000\n", "-5 100000\n",
                           "100000 -1\n", "100000 x\n", "\xff\xfe 7"}) {
    SCOPED_TRACE(text);
    quota_v2("sys/fs/cgroup/service", text);
    EXPECT_EQ(quota(), std::nullopt);
  }
  quota_v2("sys/fs/cgroup/service", "100000 100000\n");
  EXPECT_EQ(quota(), 1);
  for (const char* text : {"", "\n", "::", "0", "0:", "0:/service\n", "x\ny\n:\n"}) {
    SCOPED_TRACE(text);
    group(text);
    (void)quota();  // whatever it makes of it, it comes back
  }
  group("0::/service\n");
  for (const char* text :
       {"", "\n", "-\n", "1 2 3\n", "1 2 0:1 / /sys rw - cgroup2\n\n- - - - -\n"}) {
    SCOPED_TRACE(text);
    file("proc/self/mountinfo", text);
    (void)quota();
  }
}

TEST_F(processor_count, version_1_without_a_period_sets_no_quota) {
  mount_v1("/", "/sys/fs/cgroup/cpu");
  group("4:cpu,cpuacct:/service\n");
  file("sys/fs/cgroup/cpu/service/cpu.cfs_quota_us", "100000\n");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST(available_processors, is_at_least_one_and_at_most_the_affinity) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ASSERT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  EXPECT_GE(available_processors(), 1U);
  EXPECT_LE(available_processors(), static_cast<std::size_t>(CPU_COUNT(&allowed)));

  // The affinity of a thread of its own, so that the others keep theirs.
  std::thread([&] {
    int processor = 0;
    while (!CPU_ISSET(processor, &allowed)) ++processor;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(available_processors(), 1U);
  }).join();
}

}  // namespace
