// Forms about where execution goes: symmetric transfer without stack growth, and bodies that go on
// on another thread.
#include <cstdint>
#include <thread>

#include "toolchain/across_threads.hpp"
#include "toolchain/forms.hpp"
#include "toolchain/minimal_task.hpp"

namespace canary {
namespace {

// ---- symmetric transfer ---------------------------------------------------------------------

// One word left on the stack by each await would be 8 MB in sequence and 800 KB in depth; 64 KiB
// are allowed.
std::uintptr_t stack_start = 0;
std::uintptr_t stack_deepest = UINTPTR_MAX;

[[gnu::noinline]] std::uintptr_t stack_here() {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

void note_stack() {
  const std::uintptr_t here = stack_here();
  if (here < stack_deepest) stack_deepest = here;
}

void expect_flat_stack() {
  expect(stack_start - stack_deepest < 64 * 1024, "the stack grew by 64 KiB or more");
}

task<int> one() {
  note_stack();
  co_return 1;
}

task<long> await_often(long times) {
  long sum = 0;
  for (long turn = 0; turn < times; ++turn) sum += co_await one();
  co_return sum;
}

void sequential_awaits() {
  stack_start = stack_here();
  constexpr long times = 1'000'000;
  expect(drive(await_often(times)) == times, "the value is wrong");
  expect_flat_stack();
}

task<long> await_deeply(long depth) {
  note_stack();
  if (depth == 0) co_return 0;
  const long below = co_await await_deeply(depth - 1);
  note_stack();
  co_return below + 1;
}

void nested_awaits() {
  stack_start = stack_here();
  constexpr long depth = 100'000;
  expect(drive(await_deeply(depth)) == depth, "the value is wrong");
  expect_flat_stack();
}

// ---- other threads --------------------------------------------------------------------------

[[gnu::noinline]] int& opaque_mark() {
  int* address = &mark;
  asm volatile("" : "+r"(address));
  return *address;
}

[[gnu::noinline]] std::thread::id opaque_thread_id() {
  std::thread::id id = std::this_thread::get_id();
  asm volatile("" : "+m"(id));
  return id;
}

task<> read_around_a_hop() {
  const int before = mark;
  co_await pause{};
  const int after = mark;
  expect(before == home_mark, "the value read before the hop is wrong");
  expect(after == away_mark, "the value read after the hop is the first thread's");
}

task<> write_around_a_hop() {
  mark = 3;
  co_await pause{};
  mark = 4;
  expect(opaque_mark() == 4, "the write after the hop went to the first thread");
}

task<> compare_opaque_addresses() {
  const int* before = &opaque_mark();
  co_await pause{};
  const int* after = &opaque_mark();
  expect(before != after, "the address was recomputed or kept");
}

task<> compare_opaque_thread_ids() {
  const std::thread::id before = opaque_thread_id();
  co_await pause{};
  expect(before != opaque_thread_id(), "the thread id was recomputed or kept");
}

template <auto Coroutine>
void hops() {
  drive_across_threads(Coroutine());
}

constexpr form table[] = {
    {"sequential_awaits", sequential_awaits},
    {"nested_awaits", nested_awaits},
    {"thread_local_read", hops<read_around_a_hop>},
    {"thread_local_write", hops<write_around_a_hop>},
    {"thread_local_through_getter", hops<compare_opaque_addresses>},
    {"thread_id_through_getter", hops<compare_opaque_thread_ids>},
};

}  // namespace

std::span<const form> flow_forms() { return table; }

}  // namespace canary
