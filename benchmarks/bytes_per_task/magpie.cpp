#include <magpie/magpie.hpp>

#include <thread>
#include <utility>
#include <vector>

#include "support/magpie_events.hpp"
#include "support/process.hpp"

namespace {

magpie::task<> wait_for(bench::broadcast_event* event) { co_await event->wait(); }

magpie::task<> wait_as_children(bench::broadcast_event* event, std::int64_t count) {
  std::vector<magpie::task<>> children;
  children.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) children.push_back(wait_for(event));
  co_await magpie::gather(std::move(children));
}

magpie::task<> wait_spawned(bench::broadcast_event* event, std::int64_t count) {
  std::vector<magpie::task_handle<>> handles;
  handles.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) handles.push_back(magpie::spawn(wait_for(event)));
  for (const magpie::task_handle<>& each : handles) co_await each;
}

/// In a process that has had no task yet.
template <class Wait>
bench::sample measure_bytes(std::size_t workers, std::int64_t count, Wait wait) {
  magpie::runtime runtime({.workers = workers});
  bench::broadcast_event event;
  const double before = bench::resident_bytes();
  const auto begin = bench::clock::now();
  const magpie::task_handle<> all = runtime.spawn(wait(&event, count));
  while (event.waiting() < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const double bytes = bench::resident_bytes() - before;
  event.set();
  while (!all.done()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return {bench::clock::now() - begin, {{"bytes", bytes / static_cast<double>(count)}}};
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "bytes_per_task/magpie");
  const std::int64_t count = bench::scaled(1'000'000);
  const auto add = [&](const char* name, auto wait) {
    program.measure(name, count, bench::warm_up::none, [&program, count, wait] {
      return bench::in_child_process("bytes",
                                     [&] { return measure_bytes(program.workers(), count, wait); });
    });
  };
  add("child", &wait_as_children);
  add("spawned", &wait_spawned);
  return program.run();
}
