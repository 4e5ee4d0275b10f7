#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <magpie/this_thread.hpp>
#include <mutex>
#include <new>
#include <type_traits>

#include "scheduler/slabs.hpp"

namespace magpie::detail {

/// What a depot writes into a block when it is cut, and never again.
struct no_header {};

/// The free blocks of one size that no thread keeps in a magazine, and the slabs they are cut from.
/// With a Header, each block begins with one, made when the block is cut and left alone until its
/// slab goes: whoever looks at all blocks can read it whether the block is in use or not.
template <class Header = no_header>
class depot {
 public:
  explicit depot(std::size_t block_size) noexcept : block_size_(block_size) {}
  depot(const depot&) = delete;
  depot& operator=(const depot&) = delete;

  /// Up to `wanted` blocks into `blocks`; fewer, but at least one, when memory is short. Throws
  /// std::bad_alloc.
  std::uint32_t take(void** blocks, std::uint32_t wanted) {
    const std::lock_guard lock(mutex_);
    std::uint32_t taken = 0;
    for (; taken < wanted; ++taken) {
      void* const block = take_one();
      if (block == nullptr) break;
      blocks[taken] = block;
    }
    if (taken == 0) throw std::bad_alloc();
    return taken;
  }

  void give(void* const* blocks, std::uint32_t count) noexcept {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < count; ++i) {
      free_ = ::new (static_cast<std::byte*>(blocks[i]) + link_offset) free_block{free_};
    }
    free_count_ += count;
  }

  // The thread's side. A magazine with capacity 0 is that of a thread at its very end.

  /// When `own` is empty: loads half of it and takes one.
  [[nodiscard]] void* load(magazine& own) {
    if (own.capacity == 0) {
      void* block = nullptr;
      take(&block, 1);
      return block;
    }
    const std::uint32_t loaded = take(own.blocks.data(), half);
    own.count.store(loaded - 1, std::memory_order_relaxed);
    return own.blocks[loaded - 1];
  }

  /// When `own` is full: puts `block` into it in the place of the older half.
  void unload_for(magazine& own, void* block) noexcept {
    if (own.capacity == 0) return give(&block, 1);
    unload(own, half);
    const std::uint32_t left = own.count.load(std::memory_order_relaxed);
    own.blocks[left] = block;
    own.count.store(left + 1, std::memory_order_relaxed);
  }

  void unload_all(magazine& own) noexcept {
    if (const std::uint32_t count = own.count.load(std::memory_order_relaxed)) unload(own, count);
  }

  /// Gives back the slabs of which all blocks are free. Returns how many bytes.
  std::size_t trim() noexcept {
    const std::lock_guard lock(mutex_);
    for (slab* each = slabs_; each != nullptr; each = each->next) each->free = 0;
    for (free_block* each = free_; each != nullptr; each = each->next) {
      slab::of(each).free += block_size_;
    }
    const auto is_unused = [](const slab& each) { return each.free == each.cut; };
    for (free_block** link = &free_; *link != nullptr;) {
      if (is_unused(slab::of(*link))) {
        *link = (*link)->next;
        --free_count_;
      } else {
        link = &(*link)->next;
      }
    }
    std::size_t given_back = 0;
    for (slab** link = &slabs_; *link != nullptr;) {
      slab* const each = *link;
      if (is_unused(*each)) {
        *link = each->next;
        cut_count_ -= each->cut / block_size_;
        --slab_count_;
        give_slab(each);
        given_back += slab_size;
      } else {
        link = &each->next;
      }
    }
    return given_back;
  }

  /// Calls `visit` with the header of each block, in use or not. The depot's lock is held: `visit`
  /// may neither allocate nor free a block here.
  template <class Visit>
  void for_each_header(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (slab* each = slabs_; each != nullptr; each = each->next) {
      for (std::size_t at = 0; at < each->cut; at += block_size_) {
        visit(*std::launder(reinterpret_cast<Header*>(each->blocks + at)));
      }
    }
  }

  struct figures {
    std::size_t cut = 0;   // blocks that have ever been in use, as far as their slab is still there
    std::size_t free = 0;  // of them, those that lie here
    std::size_t reserved_bytes = 0;
  };
  [[nodiscard]] figures count() const {
    const std::lock_guard lock(mutex_);
    return {cut_count_, free_count_, slab_count_ * slab_size};
  }

  [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }

 private:
  static constexpr bool has_header = !std::is_same_v<Header, no_header>;
  static constexpr std::size_t link_offset = has_header ? sizeof(Header) : 0;
  static constexpr std::uint32_t half = magazine::most / 2;

  /// Where a block that lies here is linked.
  struct free_block {
    free_block* next;
  };

  /// A slab with its bookkeeping, cut into blocks from the front.
  struct slab {
    [[nodiscard]] static slab& of(free_block* block) noexcept {
      return *reinterpret_cast<slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(slab_size - 1));
    }

    slab* next = nullptr;
    std::size_t cut = 0;              // bytes that have been cut into blocks
    std::size_t free = 0;             // of them, as counted by trim()
    alignas(16) std::byte blocks[1];  // to the end of the slab

    static constexpr std::size_t header_size = 32;
    static constexpr std::size_t room = slab_size - header_size;
  };
  static_assert(offsetof(slab, blocks) == slab::header_size);

  void unload(magazine& own, std::uint32_t count) noexcept {
    give(own.blocks.data(), count);
    const std::uint32_t left = own.count.load(std::memory_order_relaxed) - count;
    // The older ones went: the newer ones are in the processor's cache.
    std::copy_n(own.blocks.data() + count, left, own.blocks.data());
    own.count.store(left, std::memory_order_relaxed);
  }

  /// A used block if there is one; else the next of the newest slab; null when memory is short.
  void* take_one() noexcept {
    if (free_ != nullptr) {
      free_block* const block = free_;
      free_ = block->next;
      --free_count_;
      return reinterpret_cast<std::byte*>(block) - link_offset;
    }
    if ((slabs_ == nullptr || slabs_->cut + block_size_ > slab::room) && !add_slab()) {
      return nullptr;
    }
    void* const block = slabs_->blocks + slabs_->cut;
    if constexpr (has_header) ::new (block) Header;
    slabs_->cut += block_size_;
    ++cut_count_;
    return block;
  }

  bool add_slab() noexcept {
    void* const memory = take_slab();
    if (memory == nullptr) return false;
    slab* const added = ::new (memory) slab;
    added->next = slabs_;
    slabs_ = added;
    ++slab_count_;
    return true;
  }

  mutable std::mutex mutex_;  // guards all below
  free_block* free_ = nullptr;
  slab* slabs_ = nullptr;  // only the first may have room left
  std::size_t free_count_ = 0;
  std::size_t cut_count_ = 0;
  std::size_t slab_count_ = 0;
  const std::size_t block_size_;
};

}  // namespace magpie::detail
