#pragma once

#include <magpie/detail/worker.hpp>

namespace magpie::test {

/// Both halves of a fork.
inline bool fork(detail::worker& here, detail::job& item) {
  const auto result = here.fork(item);
  return result == detail::fork_lane::push_result::calm || here.settle_fork(item, result);
}

/// Both halves of an unfork.
inline bool unfork(detail::worker& here, const detail::job& item) {
  const auto result = here.unfork(item);
  return result == detail::fork_lane::pop_if_result::popped ||
         (result == detail::fork_lane::pop_if_result::marked && here.settle_unfork());
}

}  // namespace magpie::test
