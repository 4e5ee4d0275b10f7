#pragma once

#include <magpie/task_handle.hpp>
#include <vector>

namespace magpie::test {

/// Tasks that were spawned and give numbers.
using handles_of_int = std::vector<task_handle<int>>;

}  // namespace magpie::test
