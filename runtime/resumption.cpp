#include <magpie/resumption.hpp>

#include <magpie/task.hpp>

namespace magpie::detail {

worker& this_worker(const char* expected) {
  worker* const here = worker::current();
  if (here == nullptr || here->task == nullptr) throw_invalid_state(expected);
  return *here;
}

}  // namespace magpie::detail
