#include <magpie/task_handle.hpp>

#include <magpie/detail/cancel_round.hpp>
#include <memory>
#include <utility>

#include "runtime/forked_process.hpp"

namespace magpie::detail {

void block_until_end(task_state_base& awaited, duration limit) {
  forked_process::check();
  if (worker::current() != nullptr) {
    throw_invalid_state("get() to be called on a thread that is not a worker");
  }
  if (!awaited.wait(deadline_for(limit))) throw timeout_error();
}

}  // namespace magpie::detail

namespace magpie {

bool task_handle_base::cancel(std::string_view reason) const {
  detail::forked_process::check();
  std::shared_ptr<const std::string> why;
  if (!reason.empty()) {
    why = std::make_shared<const std::string>(reason);
    state().make_room_for_reason();
  }
  return detail::cancel_task(state(), std::move(why));
}

}  // namespace magpie
