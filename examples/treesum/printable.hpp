#pragma once

#include <string>
#include <string_view>

namespace treesum {

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// The text as one line that any terminal shows harmlessly: control characters, line separators,
/// backslashes and bytes that are not UTF-8 are escaped, everything else stays.
[[nodiscard]] std::string printable(std::string_view text);

/// Two lower-case digits a byte.
[[nodiscard]] std::string hexadecimal(std::string_view bytes);

}  // namespace treesum
