#include <magpie/shield.hpp>

namespace magpie::detail {

bool shielded_wait::await_ready() {
  const bool is_done =
      is_done_for_another(awaited_, "a shield to be awaited in a task on a runtime");
  once_.begin();
  return is_done;
}

bool shielded_wait::await_suspend(task_coroutine suspended) {
  return suspend(suspended, [this] { return awaited_.add_waiter(*this); });
}

}  // namespace magpie::detail
