#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace magpie::detail {

/// Returns the CPU time that this process's cgroup may use, in processors: the least quota of the
/// group and all its ancestors, in cgroup v1 and v2. Returns nothing where no quota is set or none
/// can be read. `root` is "/" except in tests.
[[nodiscard]] std::optional<double> cgroup_quota(const std::filesystem::path& root);

/// Pins the calling thread to one of the processors that it may use now: number `index`, modulo
/// their number. Does nothing where the system refuses.
void pin_this_thread(std::size_t index) noexcept;

}  // namespace magpie::detail
