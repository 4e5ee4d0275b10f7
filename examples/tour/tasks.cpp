#include "tour.hpp"

namespace tour {

task<> create_a_task() {
  const auto one = magpie::spawn(work("one", 1s));
  const auto two = magpie::spawn(work("two", 2s), {.name = "two"});
  say(co_await one);
  say(co_await two);
}

task<> ask_for_its_status() {
  const auto it = magpie::spawn(work("it", 1s), {.name = "first name"});
  say(it.name() + ": " + (it.done() ? "done" : "not done"));
  it.set_name("second name");
  co_await it;
  say(it.name() + ": " + (it.done() ? "done" : "not done") + ", " +
      (it.cancelled() ? "cancelled" : "not cancelled") + ", " + it.result());
}

task<> cancel_a_sleeping_task() {
  const auto sleeper = magpie::spawn(work("sleeper", 10s));
  co_await magpie::sleep_for(1s);
  sleeper.cancel("no longer needed");
  try {
    co_await sleeper;
  } catch (const magpie::cancelled& stopped) {
    say("cancelled: " + stopped.reason());
  }
}

namespace {

task<> sleep_and_clean_up() {
  try {
    co_await magpie::sleep_for(10s);
  } catch (const magpie::cancelled&) {
    say("cleaning up");
    throw;
  }
}

}  // namespace

task<> clean_up_in_the_cancelled_task() {
  const auto sleeper = magpie::spawn(sleep_and_clean_up());
  co_await magpie::sleep_for(1s);
  sleeper.cancel();
  try {
    co_await sleeper;
  } catch (const magpie::cancelled&) {
    say(sleeper.cancelled() ? "it was cancelled" : "it was not cancelled");
  }
}

}  // namespace tour
