#pragma once

#include <coroutine>
#include <cstdint>

namespace magpie::detail {

// A *branch* of a task is a coroutine that runs, with what awaits it, up to a child of a join or to
// the task's first coroutine. All of a branch runs on one thread at a time. Each request that
// reaches the branch is delivered to it once. For that the branch keeps the number of the last
// request that it has been *told* of.
//
// The number is in the promises (failure_word), where it needs no memory. The innermost coroutine
// has it, or inherits it from what awaits it. When the coroutine ends, it hands the number on to
// that. A child of a join begins with what the parent has been told, which does not change while
// the children run.

/// Returns the number of the last request that the branch of `at` has been told of; 0 for none.
/// Called in that branch. Writes it down on its way up, so that no way is gone twice.
[[nodiscard]] std::uint64_t told_to(std::coroutine_handle<> at) noexcept;

/// Changes it. Called in that branch; `at` is its innermost coroutine.
void set_told(std::coroutine_handle<> at, std::uint64_t number) noexcept;

}  // namespace magpie::detail
