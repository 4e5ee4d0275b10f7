#pragma once

namespace magpie {

/// Nobody awaits a handle in the models.
template <class T = void>
class task_handle;

}  // namespace magpie
