#include <magpie/magpie.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/process.hpp"
#include "support/program.hpp"

namespace {

std::atomic<std::int64_t> ended{0};

magpie::task<> end() {
  ended.fetch_add(1, std::memory_order_relaxed);
  co_return;
}

// Each returns how many bytes are resident when the last task has been spawned.

/// With one worker, none ends before all are there.
magpie::task<double> at_once(std::int64_t count) {
  magpie::task_group group;
  for (std::int64_t i = 0; i < count; ++i) group.spawn(end());
  const double bytes = bench::resident_bytes();
  co_await group.join();
  co_return bytes;
}

/// The tasks end as fast as they come.
magpie::task<double> in_turn(std::int64_t count) {
  magpie::task_group group;
  for (std::int64_t i = 0; i < count; ++i) {
    group.spawn(end());
    co_await magpie::yield();
  }
  const double bytes = bench::resident_bytes();
  co_await group.join();
  co_return bytes;
}

/// What a group is compared with.
magpie::task<double> without_a_group(std::int64_t count) {
  std::vector<magpie::task_handle<>> handles;
  handles.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) handles.push_back(magpie::spawn(end()));
  const double bytes = bench::resident_bytes();
  for (const magpie::task_handle<>& each : handles) co_await each;
  co_return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "task_group/magpie");
  const std::int64_t count = bench::scaled(1'000'000);
  const auto add = [&](const char* name, auto run) {
    program.measure(name, count, bench::warm_up::none, [&program, count, run] {
      return bench::in_child_process("bytes", [&]() -> bench::sample {
        magpie::runtime runtime({.workers = program.workers()});
        runtime.block_on(run(1));
        const double before = bench::resident_bytes();
        const double bytes = runtime.block_on(run(count)) - before;
        ended = 0;
        const auto begin = bench::clock::now();
        static_cast<void>(runtime.block_on(run(count)));
        const auto elapsed = bench::clock::now() - begin;
        bench::check(ended == count, "task_group");
        return {elapsed, {{"bytes", bytes / static_cast<double>(count)}}};
      });
    });
  };
  add("in_turn", &in_turn);
  add("at_once", &at_once);
  add("without_a_group", &without_a_group);
  return program.run();
}
