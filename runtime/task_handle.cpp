#include <magpie/task_handle.hpp>

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
