#include "scheduler/outside_call.hpp"

#include <atomic>
#include <cstddef>
#include <thread>

#include "scheduler/thread_records.hpp"

namespace magpie::detail {

namespace {

// The number of calls, into any scheduler, by threads whose record is unusable: they have none yet,
// or are about to end. A call adds one (relaxed) at its start and takes one off (release) at its
// end; wait_for_all() acquires it.
std::atomic<std::size_t> calls_without_record{0};

bool is_usable(const thread_record& record) noexcept { return record.slots.capacity != 0; }

bool anybody_is_inside(const void* place) {
  if (calls_without_record.load(std::memory_order_acquire) != 0) return true;
  bool found = false;
  for_each_record([&](const thread_record& each) {
    found = found || each.inside.load(std::memory_order_acquire) == place;
  });
  return found;
}

}  // namespace

outside_call::outside_call(const void* place) noexcept : caller_(thread_record::current()) {
  if (is_usable(caller_)) {
    caller_.inside.store(place, std::memory_order_relaxed);
  } else {
    calls_without_record.fetch_add(1, std::memory_order_relaxed);
  }
}

outside_call::~outside_call() {
  if (is_usable(caller_)) {
    caller_.inside.store(nullptr, std::memory_order_release);
  } else {
    calls_without_record.fetch_sub(1, std::memory_order_release);
  }
}

void outside_call::wait_for_all(const void* place) noexcept {
  while (anybody_is_inside(place)) std::this_thread::yield();
}

}  // namespace magpie::detail
