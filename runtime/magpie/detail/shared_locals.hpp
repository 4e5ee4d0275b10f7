#pragma once

#include <memory>

namespace magpie::detail {

class local_values;

/// The task-locals of a task, which those that it spawns share until they set one. Null for none.
using shared_locals = std::shared_ptr<const local_values>;

}  // namespace magpie::detail
