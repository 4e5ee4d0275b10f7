// How a worker that waits for a thief helps that thief.

#include <algorithm>
#include <chrono>
#include <magpie/detail/forked_call.hpp>
#include <magpie/detail/pause.hpp>

#include "scheduler/worker_thread.hpp"

namespace magpie::detail {

namespace {

// How long a worker that waits for a thief sleeps at once: longer after each sleep in vain. The
// thief wakes it at the end of the call, so a sleep costs no more than what it might have helped
// with.
constexpr std::chrono::microseconds shortest_doze{50};
constexpr std::chrono::microseconds longest_doze{400};

}  // namespace

void worker::wait_for(forked_call& call) noexcept {
  static_cast<worker_thread&>(*this).help_until_done(call);
}

/// The fork lane is empty here. The call was in it, thieves take the oldest item first, and the
/// worker has taken back what it pushed after the call. So what helping leaves in the lane belongs
/// to the helping.
void worker_thread::help_until_done(forked_call& call) noexcept {
  void* const waiting = context();
  eagerness how = eagerness::asks;
  int rounds_left = search_rounds;
  std::chrono::microseconds doze = shortest_doze;
  while (!call.is_done()) {
    worker* const thief = call.thief();
    job* item = nullptr;
    if (thief != nullptr) {
      // While the thief makes the call, what lies in its fork lane belongs to the call.
      item = steal_fork_from(static_cast<worker_thread&>(*thief), how,
                             [&call] { return !call.is_done(); });
    }
    if (item != nullptr) {
      count(counters_.steals);
      for (; item != nullptr; item = forks_.pop()) run(*item);
      rounds_left = search_rounds;
      doze = shortest_doze;
      how = eagerness::asks;
    } else if (rounds_left != 0) {
      --rounds_left;
      for (int i = 0; i < pauses_per_round; ++i) pause();
    } else {
      call.doze(doze);
      doze = std::min(2 * doze, longest_doze);
      how = eagerness::insists;
    }
  }
  set_context(waiting);
}

}  // namespace magpie::detail
