#pragma once

namespace magpie::detail {

/// Nobody is suspended: a thread of the model takes what is woken.
struct task_coroutine {};

}  // namespace magpie::detail
