#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace magpie::detail {

/// The CPU time that this process's cgroup may use, in processors: the least quota of the group and
/// of all its ancestors, cgroup v1 and v2. Nothing where no quota is set or none can be read.
/// `root` is "/" but in tests.
[[nodiscard]] std::optional<double> cgroup_quota(const std::filesystem::path& root);

/// Lets the calling thread run on one processor only: number `index`, modulo how many there are, of
/// those that it may use now. Without effect where the system refuses.
void pin_this_thread(std::size_t index) noexcept;

}  // namespace magpie::detail
