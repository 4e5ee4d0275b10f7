#include "scheduler/slabs.hpp"

#include <sys/mman.h>

#include <bit>
#include <cstdint>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <new>

namespace magpie::detail {

namespace {

/// Address space for slabs, with the size and alignment of a huge page.
struct region {
  static constexpr std::size_t size = std::size_t{2} * 1024 * 1024;
  static constexpr std::uint32_t all_free = ~std::uint32_t{0};
  static_assert(size / slab_size == 32);

  std::byte* base;
  std::uint32_t free;  // one bit for each slab
  region* next;
};

/// Returns null when there is no memory.
std::byte* map_aligned() noexcept {
  void* const mapped = ::mmap(nullptr, 2 * region::size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(mapped);
  const auto before =
      (region::size - reinterpret_cast<std::uintptr_t>(begin) % region::size) % region::size;
  if (before != 0) ::munmap(begin, before);
  ::munmap(begin + before + region::size, region::size - before);
  return begin + before;
}

struct {
  thread_mutex mutex;
  region* regions MAGPIE_GUARDED_BY(mutex) = nullptr;  // the newest first
  std::size_t count MAGPIE_GUARDED_BY(mutex) = 0;
} slabs;

region* add_region() noexcept MAGPIE_REQUIRES(slabs.mutex) {
  auto* const added = new (std::nothrow) region{map_aligned(), region::all_free, slabs.regions};
  if (added == nullptr || added->base == nullptr) {
    delete added;
    return nullptr;
  }
  // A program whose frames do not fit into one region saves page faults and TLB misses by huge
  // pages. A small program does not pay for a whole one.
  if (slabs.count != 0) ::madvise(added->base, region::size, MADV_HUGEPAGE);
  slabs.regions = added;
  ++slabs.count;
  return added;
}

}  // namespace

void* take_slab() noexcept {
  const lock_guard lock(slabs.mutex);
  region* from = slabs.regions;
  while (from != nullptr && from->free == 0) from = from->next;
  if (from == nullptr && (from = add_region()) == nullptr) return nullptr;
  const auto index = static_cast<unsigned>(std::countr_zero(from->free));
  from->free &= from->free - 1;
  return from->base + index * slab_size;
}

void give_slab(void* slab) noexcept {
  const lock_guard lock(slabs.mutex);
  auto* const address = static_cast<std::byte*>(slab);
  region** link = &slabs.regions;
  while (address < (*link)->base || address >= (*link)->base + region::size) link = &(*link)->next;
  region& home = **link;
  home.free |= std::uint32_t{1} << static_cast<std::size_t>(address - home.base) / slab_size;
  if (home.free != region::all_free) {
    ::madvise(slab, slab_size, MADV_DONTNEED);
    return;
  }
  ::munmap(home.base, region::size);
  *link = home.next;
  --slabs.count;
  delete &home;
}

}  // namespace magpie::detail
