#include "printable.hpp"

#include <cstddef>
#include <cstdint>

namespace treesum {
namespace {

struct character {
  char32_t code;
  /// 0 when the text does not begin with a well-formed character.
  std::size_t length;
};

/// The ranges are those of table 3-7 of the Unicode standard: no overlong form, no surrogate,
/// nothing above U+10FFFF.
character first_character(std::string_view text) noexcept {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {0, 0};
  char32_t code = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {0, 0};
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (overlong || surrogate || code > 0x10ffff) return {0, 0};
  return {code, length};
}

/// What would move the cursor, end the line or change the reading order of what follows.
bool disturbs_a_line(char32_t code) noexcept {
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool separator = code == 0x2028 || code == 0x2029;
  const bool direction = code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                         (code >= 0x2066 && code <= 0x2069);
  return control || separator || direction;
}

}  // namespace

bool is_valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = first_character(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const character next = first_character(text);
    const std::string_view bytes = text.substr(0, next.length == 0 ? 1 : next.length);
    text.remove_prefix(bytes.size());
    if (bytes == "\n") {
      line += "\\n";
    } else if (bytes == "\r") {
      line += "\\r";
    } else if (bytes == "\t") {
      line += "\\t";
    } else if (bytes == "\\") {
      line += "\\\\";
    } else if (next.length == 0 || disturbs_a_line(next.code)) {
      for (const char byte : bytes) line += "\\x" + hexadecimal({&byte, 1});
    } else {
      line += bytes;
    }
  }
  return line;
}

std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const auto value = static_cast<std::uint8_t>(byte);
    text += digits[value >> 4U];
    text += digits[value & 0xfU];
  }
  return text;
}

}  // namespace treesum
