#pragma once

// MAGPIE_CHECK guards what no exception can report: a broken invariant inside a noexcept protocol,
// or misuse where no caller is left to throw to. It is on in release builds too and costs one
// predictable branch. It prints what was expected and aborts, because to continue would corrupt
// data. Misuse that can be reported to the caller throws magpie::invalid_state instead.

namespace magpie::detail {
[[noreturn]] void check_failed(const char* condition, const char* expected, const char* file,
                               int line) noexcept;
}  // namespace magpie::detail

#define MAGPIE_CHECK(condition, expected) \
  (static_cast<bool>(condition)           \
       ? static_cast<void>(0)             \
       : ::magpie::detail::check_failed(#condition, expected, __FILE__, __LINE__))
