#include <magpie/magpie.hpp>

#include <deque>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/timer.hpp>

#include "support/program.hpp"

namespace {

constexpr std::size_t armed_at_once = 1000;

struct idle_timer : magpie::detail::timer {
  idle_timer() noexcept
      : timer([](magpie::detail::timer&) noexcept -> magpie::detail::job* { return nullptr; }) {}
};

magpie::task<> arm_and_cancel(std::int64_t count) {
  magpie::detail::scheduler& home = magpie::detail::worker::here().home();
  std::deque<idle_timer> timers(armed_at_once);
  for (std::int64_t i = 0; i < count; ++i) {
    idle_timer& timer = timers[static_cast<std::size_t>(i) % armed_at_once];
    static_cast<void>(home.disarm(timer));
    home.arm(timer, magpie::deadline_after(std::chrono::seconds(1 + i % 60)));
  }
  for (idle_timer& timer : timers) static_cast<void>(home.disarm(timer));
  co_return;
}

magpie::task<std::int64_t> number(std::int64_t value) { co_return value; }

magpie::task<std::int64_t> limit_each(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t value =
        co_await magpie::wait_for(number(1), std::chrono::seconds(1 + i % 60));
    sum += value;
  }
  co_return sum;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "timeouts/magpie");
  const std::int64_t count = bench::scaled(1'000'000);
  magpie::runtime runtime({.workers = program.workers()});
  program.measure(count, bench::warm_up::one_run, [&] { runtime.block_on(arm_and_cancel(count)); });
  program.measure("wait_for", count, bench::warm_up::one_run,
                  [&] { bench::check(runtime.block_on(limit_each(count)) == count, "timeouts"); });
  return program.run();
}
