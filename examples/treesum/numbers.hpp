#pragma once

#include <cstdint>
#include <string>

namespace treesum {

/// "12.3"
[[nodiscard]] std::string one_decimal(double value);
/// In units of 10^6 bytes: "12.3"
[[nodiscard]] std::string megabytes(std::uint64_t bytes);
/// "7 s", "3 min 05 s" or "2 h 10 min"
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace treesum
