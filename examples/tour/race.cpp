#include <vector>

#include "tour.hpp"

namespace tour {

task<> race_two_servers() { say(co_await magpie::race(serve("near", 1s), serve("far", 2s))); }

task<> branch_on_the_first() {
  const auto cache = magpie::spawn(serve("cache", 1s));
  const auto disk = magpie::spawn(serve("disk", 2s));
  const std::vector both{cache, disk};
  const auto [done, pending] = co_await magpie::wait(both, magpie::until::first_completed);
  for (const auto& loser : pending) loser.cancel();
  co_await magpie::wait(pending, magpie::until::all_completed);
  say(cache == done.front() ? "taking the short way" : "taking the long way");
}

}  // namespace tour
