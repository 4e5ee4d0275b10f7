#include "tour.hpp"

namespace tour {

task<> limit_a_task() {
  try {
    say(co_await magpie::wait_for(work("slow", 10s), 2s));
  } catch (const magpie::timeout_error&) {
    say("no result in time");
  }
}

task<> limit_a_spawned_task() {
  const auto slow = magpie::spawn(work("slow", 10s));
  try {
    co_await magpie::wait_for(slow, 1s);
  } catch (const magpie::timeout_error&) {
    say(std::string("timeout; the task ") + (slow.cancelled() ? "was cancelled" : "goes on"));
  }
}

}  // namespace tour
