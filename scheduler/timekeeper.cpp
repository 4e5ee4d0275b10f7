#include "scheduler/timekeeper.hpp"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <magpie/detail/futex.hpp>
#include <magpie/detail/lock_guard.hpp>

namespace magpie::detail {

namespace {

/// Asks the kernel to run this thread soon after each wake-up, though other threads compute on all
/// processors: Linux 6.12 lets a thread that requests shorter slices overtake them. Other kernels
/// keep their own slice.
void request_short_slices() noexcept {
  // struct sched_attr, which old headers of the kernel lack. All else is 0: the normal policy.
  struct {
    std::uint32_t size = sizeof(*this);
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t slice = 100'000;  // in nanoseconds; the least that the kernel grants
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
  } request;
  ::syscall(SYS_sched_setattr, 0, &request, 0);
}

}  // namespace

timekeeper::timekeeper(std::size_t shards, submit_function submit, watch_function watch,
                       void* context)
    : tick_bits_(16), submit_(submit), watch_(watch), context_(context) {
  for (std::size_t i = 0; i < shards; ++i) shards_.emplace_back(tick_before(clock::now()));
  thread_ = std::thread([this] { loop(); });
}

timekeeper::timekeeper(time_point start, submit_function submit, void* context)
    : tick_bits_(0), submit_(submit), watch_(nullptr), context_(context) {
  shards_.emplace_back(tick_before(start));
}

timekeeper::~timekeeper() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  calls_.fetch_add(1, std::memory_order_release);
  futex_wake_one(calls_);
  thread_.join();
}

void timekeeper::arm(std::size_t shard_index, timer& item, time_point deadline) {
  shard& home = shards_[shard_index];
  item.shard = shard_index;
  const std::uint64_t tick = tick_after(deadline);
  {
    const lock_guard lock(home.mutex);
    home.wheel.insert(item, tick);
  }
  // `item` may have expired by now and be gone.
  if (tick < sleeping_to_.load(std::memory_order_acquire)) {
    std::uint64_t called_for = called_for_.load(std::memory_order_relaxed);
    while (tick < called_for &&
           !called_for_.compare_exchange_weak(called_for, tick, std::memory_order_relaxed)) {
    }
    calls_.fetch_add(1, std::memory_order_release);
    futex_wake_one(calls_);
  }
}

bool timekeeper::disarm(timer& item) noexcept {
  shard& home = shards_[item.shard];
  const lock_guard lock(home.mutex);
  return home.wheel.cancel(item);
}

void timekeeper::fire_due(time_point now) {
  for (shard& each : shards_) {
    timer_node* expired = nullptr;
    {
      const lock_guard lock(each.mutex);
      expired = each.wheel.advance(tick_before(now));
    }
    fire_all(expired);
  }
}

void timekeeper::loop() {
  ::pthread_setname_np(::pthread_self(), "magpie-time");
  // In nanoseconds. The default of 50 us would make timers late.
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  request_short_slices();
  for (;;) {
    // Read the count of calls first, then look for the reasons of calls. A call that comes after
    // the look changes the count, so the wait below returns at once.
    const std::uint32_t calls = calls_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_acquire)) return;
    fire_due(clock::now());
    keep_watch(clock::now());
    sleeping_to_.store(not_known_yet, std::memory_order_release);
    const std::uint64_t called_for = called_for_.exchange(nothing, std::memory_order_relaxed);
    const std::uint64_t first = std::min(first_tick(), called_for);
    sleeping_to_.store(first, std::memory_order_release);
    const time_point until = std::min(start_of(first), next_watch_);
    if (until == time_point::max()) {
      futex_wait(calls_, calls);
    } else {
      futex_wait(calls_, calls, until);
    }
    sleeping_to_.store(is_awake, std::memory_order_release);
  }
}

void timekeeper::call_for_watch() noexcept {
  if (is_watching_.exchange(true, std::memory_order_relaxed)) return;
  calls_.fetch_add(1, std::memory_order_release);
  futex_wake_one(calls_);
}

void timekeeper::keep_watch(time_point now) {
  if (!is_watching_.load(std::memory_order_relaxed)) return;
  if (next_watch_ == time_point::max()) {
    watches_without_work_ = 0;
  } else if (now < next_watch_) {
    return;
  } else if (watch_(context_, now)) {
    watches_without_work_ = 0;
  } else if (++watches_without_work_ == idle_watches) {
    next_watch_ = time_point::max();
    is_watching_.store(false, std::memory_order_relaxed);
    return;
  }
  next_watch_ = now + watch_period;
}

void timekeeper::fire_all(timer_node* expired) {
  while (expired != nullptr) {
    auto& due = static_cast<timer&>(*expired);
    expired = expired->next;  // read first: the timer may be gone after its fire()
    if (job* const item = due.fire(due)) submit_(context_, *item);
  }
}

std::uint64_t timekeeper::first_tick() {
  std::uint64_t first = nothing;
  for (shard& each : shards_) {
    const lock_guard lock(each.mutex);
    first = std::min(first, each.wheel.next_tick().value_or(nothing));
  }
  return first;
}

std::uint64_t timekeeper::tick_after(time_point deadline) const noexcept {
  const std::int64_t since_start = std::max<std::int64_t>(deadline.time_since_epoch().count(), 0);
  const auto count = static_cast<std::uint64_t>(since_start);
  return (count >> tick_bits_) + ((count & ((std::uint64_t{1} << tick_bits_) - 1)) != 0 ? 1 : 0);
}

std::uint64_t timekeeper::tick_before(time_point now) const noexcept {
  return static_cast<std::uint64_t>(now.time_since_epoch().count()) >> tick_bits_;
}

time_point timekeeper::start_of(std::uint64_t tick) const noexcept {
  constexpr auto last = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (tick > last >> tick_bits_) return time_point::max();
  return time_point(duration(static_cast<std::int64_t>(tick << tick_bits_)));
}

}  // namespace magpie::detail
