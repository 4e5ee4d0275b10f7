#include <magpie/detail/new_tasks.hpp>

#include <utility>

#include "runtime/runtime_core.hpp"

namespace magpie::detail {

new_tasks::~new_tasks() {
  for (task_state_base* const each : states_) each->discard();
}

std::vector<task_state_base*> new_tasks::launch(runtime_core& core, const spawn_options& options) {
  if (states_.empty()) return {};
  for (task_state_base* const each : states_) each->prepare(core, options);
  core.add_tasks(states_.size());
  task_state_base* previous = nullptr;
  for (task_state_base* const each : states_) {
    each->publish();
    each->next = nullptr;
    if (previous != nullptr) previous->next = each;
    previous = each;
  }
  if (core.is_closing()) [[unlikely]] {
    for (task_state_base* const each : states_) each->cancel_before_start();
  }
  core.jobs.submit_all(*states_.front());
  return std::exchange(states_, {});
}

}  // namespace magpie::detail
