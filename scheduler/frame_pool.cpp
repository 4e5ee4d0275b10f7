#include <magpie/frame_pool.hpp>

#include <array>
#include <cstdint>
#include <mutex>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define MAGPIE_FRAME_POOL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAGPIE_FRAME_POOL 0
#endif
#endif
#ifndef MAGPIE_FRAME_POOL
#define MAGPIE_FRAME_POOL 1
#endif

namespace magpie::detail {

#if MAGPIE_FRAME_POOL

namespace {

constexpr std::size_t granularity = 64;
constexpr std::size_t class_count = 16;
constexpr std::uint32_t batch_size = 64;

struct free_block {
  free_block* next;
  free_block* next_batch;  // only in the first block of a batch that lies in the depot
};

/// Full batches of one size class, shared by all threads. Lives for ever, so that threads which
/// end after main still find it.
struct depot {
  std::mutex mutex;
  std::array<free_block*, class_count> batches{};  // guarded by mutex

  static depot& instance() {
    static depot* const shared = new depot;
    return *shared;
  }

  void put(std::size_t size_class, free_block* batch) noexcept {
    const std::lock_guard lock(mutex);
    batch->next_batch = batches[size_class];
    batches[size_class] = batch;
  }

  free_block* take(std::size_t size_class) noexcept {
    const std::lock_guard lock(mutex);
    free_block* const batch = batches[size_class];
    if (batch != nullptr) batches[size_class] = batch->next_batch;
    return batch;
  }
};

/// One class in one thread. Two lists, so that a thread that allocates and frees around the edge
/// of a batch does not go to the depot each time: `spare` is a whole batch or nothing.
struct cache_line {
  free_block* active = nullptr;
  free_block* spare = nullptr;
  std::uint32_t active_count = 0;
};

struct thread_cache {
  std::array<cache_line, class_count> classes;
  bool ended = false;  // set by the destructor: later blocks of this thread bypass the cache

  ~thread_cache() {
    ended = true;
    for (std::size_t i = 0; i < class_count; ++i) {
      cache_line& line = classes[i];
      if (line.spare != nullptr) depot::instance().put(i, line.spare);
      if (line.active != nullptr) depot::instance().put(i, line.active);
      line = cache_line{};
    }
  }
};

constinit thread_local thread_cache cache;

void* refill(cache_line& line, std::size_t size_class) {
  if (line.spare != nullptr) {
    line.active = line.spare;
    line.spare = nullptr;
  } else if (!cache.ended && (line.active = depot::instance().take(size_class)) != nullptr) {
    // A thread's last batch may be a short one.
    line.active_count = 0;
    for (free_block* block = line.active; block != nullptr; block = block->next) {
      ++line.active_count;
    }
    free_block* const block = line.active;
    line.active = block->next;
    --line.active_count;
    return block;
  } else {
    return ::operator new((size_class + 1) * granularity);
  }
  free_block* const block = line.active;
  line.active = block->next;
  line.active_count = batch_size - 1;
  return block;
}

void spill(cache_line& line, std::size_t size_class) noexcept {
  if (line.spare != nullptr) depot::instance().put(size_class, line.spare);
  line.spare = line.active;
  line.active = nullptr;
  line.active_count = 0;
}

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t size_class = (size - 1) / granularity;
  if (size_class >= class_count) [[unlikely]]
    return ::operator new(size);
  cache_line& line = cache.classes[size_class];
  free_block* const block = line.active;
  if (block == nullptr) [[unlikely]]
    return refill(line, size_class);
  line.active = block->next;
  --line.active_count;
  return block;
}

void free_frame(void* memory, std::size_t size) noexcept {
  const std::size_t size_class = (size - 1) / granularity;
  if (size_class >= class_count || cache.ended) [[unlikely]]
    return ::operator delete(memory);
  cache_line& line = cache.classes[size_class];
  if (line.active_count == batch_size) [[unlikely]]
    spill(line, size_class);
  auto* const block = ::new (memory) free_block;
  block->next = line.active;
  line.active = block;
  ++line.active_count;
}

#else

void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* block, std::size_t) noexcept { ::operator delete(block); }

#endif

}  // namespace magpie::detail
