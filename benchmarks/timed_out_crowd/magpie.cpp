#include <magpie/magpie.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <vector>

#include "support/program.hpp"

namespace {

using namespace std::chrono_literals;
using bench::clock;

struct crowd {
  const std::size_t size;
  std::atomic<std::size_t> begun{0};
  std::atomic<std::size_t> ended{0};
  std::atomic<magpie::timeout_scope*> scope{nullptr};
};

magpie::task<> sleep_in(crowd& all) {
  all.begun.fetch_add(1, std::memory_order_relaxed);
  try {
    co_await magpie::sleep_for(1000h);
  } catch (const magpie::cancelled&) {
    all.ended.fetch_add(1, std::memory_order_relaxed);
  }
}

magpie::task<> sleep_together(crowd& all) {
  const auto body = [&all](magpie::timeout_scope& scope) -> magpie::task<> {
    std::vector<magpie::task<>> children;
    children.reserve(all.size);
    for (std::size_t i = 0; i < all.size; ++i) children.push_back(sleep_in(all));
    all.scope = &scope;
    co_await magpie::gather(std::move(children));
  };
  try {
    co_await magpie::with_timeout(1000h, body);
  } catch (const magpie::timeout_error&) {
  }
}

/// Sleeps a millisecond again and again, until `is_over()`. Gives the worst lateness before that,
/// in microseconds.
template <class Condition>
magpie::task<double> worst_lateness(Condition is_over) {
  for (double worst = 0;;) {
    const auto begin = clock::now();
    co_await magpie::sleep_for(1ms);
    if (is_over()) co_return worst;
    worst = std::max(worst, bench::microseconds(clock::now() - begin - 1ms));
  }
}

magpie::task<bench::sample> time_out(std::size_t size) {
  crowd all{size};
  const auto together = magpie::spawn(sleep_together(all));
  while (all.begun != size) co_await magpie::sleep_for(1ms);
  const auto idle_until = clock::now() + 300ms;
  const double idle = co_await worst_lateness([&] { return clock::now() >= idle_until; });
  all.scope.load()->reschedule(1ms);
  const auto begin = clock::now() + 1ms;
  const double late = co_await worst_lateness([&] { return all.ended == size; });
  const auto elapsed = clock::now() - begin;
  co_await together;
  co_return bench::sample{elapsed, {{"late_max_us", late}, {"idle_max_us", idle}}};
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "timed_out_crowd/magpie");
  const std::int64_t size = bench::scaled(200'000);
  magpie::runtime runtime({.workers = program.workers()});
  program.measure(size, bench::warm_up::one_run,
                  [&] { return runtime.block_on(time_out(static_cast<std::size_t>(size))); });
  return program.run();
}
