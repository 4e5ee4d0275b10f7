#pragma once

#include <magpie/task.hpp>

#include "console.hpp"
#include "tree_sum.hpp"

namespace treesum {

/// Draws the progress line ten times a second, until cancelled. The references must outlive it.
[[nodiscard]] magpie::task<> show_progress(const tree_sum& job, console& screen);

}  // namespace treesum
