#pragma once

#include <cstddef>
#include <magpie/detail/task_state.hpp>
#include <vector>

namespace magpie::detail {

/// Tasks that are launched together. spawn_many() fills it.
class new_tasks {
 public:
  explicit new_tasks(std::size_t count) { states_.reserve(count); }
  new_tasks(const new_tasks&) = delete;
  new_tasks& operator=(const new_tasks&) = delete;

  /// Discards the tasks that have not been launched.
  ~new_tasks();

  /// Adds a task. At most `count` times: the constructor has reserved room for those.
  void add(task_state_base& state) noexcept { states_.push_back(&state); }

  /// Launches all tasks in order, with one wake-up. Returns their states, each with one handle for
  /// the caller. If it throws, it has launched no task.
  std::vector<task_state_base*> launch(runtime_core& core, const spawn_options& options);

 private:
  std::vector<task_state_base*> states_;
};

}  // namespace magpie::detail
