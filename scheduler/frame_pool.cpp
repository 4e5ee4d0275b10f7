#include <magpie/detail/frame_pool.hpp>

#include <algorithm>
#include <array>
#include <magpie/frame_statistics.hpp>
#include <new>

#include "scheduler/depot.hpp"
#include "scheduler/slot_depot.hpp"
#include "scheduler/thread_records.hpp"

namespace magpie::detail {

namespace {

/// Blocks that are not in the pool. Threads count them when they allocate and free; relaxed.
struct {
  std::atomic<std::size_t> count{0};
  std::atomic<std::size_t> bytes{0};
} large;

void* allocate_large(std::size_t size) {
  void* const block = ::operator new(size);
  large.count.fetch_add(1, std::memory_order_relaxed);
  large.bytes.fetch_add(size, std::memory_order_relaxed);
  return block;
}

void free_large(void* block, std::size_t size) noexcept {
  large.count.fetch_sub(1, std::memory_order_relaxed);
  large.bytes.fetch_sub(size, std::memory_order_relaxed);
  ::operator delete(block);
}

/// One depot for each class. They are never destroyed, so threads that end after main still find
/// them.
depot<>& depot_of(std::size_t index) noexcept {
  struct alignas(64) place {
    alignas(depot<>) std::byte memory[sizeof(depot<>)];
  };
  static auto* const depots = [] {
    static std::array<place, thread_record::class_count> places;
    for (std::size_t i = 0; i < places.size(); ++i) {
      ::new (places[i].memory) depot<>(frame_class::block_size(i));
    }
    return &places;
  }();
  return *std::launder(reinterpret_cast<depot<>*>((*depots)[index].memory));
}

/// Adds the figures of one depot. `kept` of its blocks are in the threads' magazines.
template <class Header>
void add(const depot<Header>& from, std::size_t kept, frame_pool_statistics& to) {
  const auto figures = from.count();
  const std::size_t free = std::min(figures.free + kept, figures.cut);
  to.live += figures.cut - free;
  to.live_bytes += (figures.cut - free) * from.block_size();
  to.cached_bytes += free * from.block_size();
  to.reserved_bytes += figures.reserved_bytes;
}

}  // namespace

void* allocate_frame_slowly(std::size_t size) {
  if (!has_frame_pool || size > frame_class::largest) return allocate_large(size);
  const std::size_t index = frame_class::of(size);
  return depot_of(index).load(usable_record().magazines[index]);
}

void free_frame_slowly(void* block, std::size_t size) noexcept {
  if (!has_frame_pool || size > frame_class::largest) return free_large(block, size);
  const std::size_t index = frame_class::of(size);
  depot_of(index).unload_for(thread_record::current().magazines[index], block);
}

void give_back_blocks(thread_record& record) noexcept {
  for (std::size_t i = 0; i < thread_record::class_count; ++i) {
    depot_of(i).unload_all(record.magazines[i]);
  }
  slot_depot().unload_all(record.slots);
}

}  // namespace magpie::detail

namespace magpie {

frame_pool_statistics frame_statistics() {
  using namespace detail;
  std::array<std::size_t, thread_record::class_count> kept{};
  std::size_t kept_slots = 0;
  for_each_record([&](const thread_record& record) {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      kept[i] += record.magazines[i].size();
    }
    kept_slots += record.slots.size();
  });
  frame_pool_statistics result;
  for (std::size_t i = 0; i < kept.size(); ++i) add(depot_of(i), kept[i], result);
  add(slot_depot(), kept_slots, result);
  const std::size_t large_bytes = large.bytes.load(std::memory_order_relaxed);
  result.live += large.count.load(std::memory_order_relaxed);
  result.live_bytes += large_bytes;
  result.reserved_bytes += large_bytes;
  return result;
}

std::size_t trim_frames() noexcept {
  using namespace detail;
  give_back_blocks(thread_record::current());
  std::size_t given_back = slot_depot().trim();
  for (std::size_t i = 0; i < thread_record::class_count; ++i) given_back += depot_of(i).trim();
  return given_back;
}

}  // namespace magpie
