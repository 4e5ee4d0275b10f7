#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/this_thread.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <new>
#include <type_traits>
#include <utility>

#include "scheduler/block_chain.hpp"
#include "scheduler/slabs.hpp"

namespace magpie::detail {

/// The header of blocks that have none.
struct no_header {};

/// The free blocks of one size that no thread keeps in a magazine, and the slabs that they are cut
/// from. With a Header, each block begins with one. The depot makes it when it cuts the block and
/// then leaves it alone until the slab goes. So a thread that looks at all blocks can read the
/// header whether the block is in use or not.
template <class Header = no_header>
class depot {
 public:
  explicit depot(std::size_t block_size) noexcept : block_size_(block_size) {}
  depot(const depot&) = delete;
  depot& operator=(const depot&) = delete;

  /// Takes free blocks into `blocks`, which must have room for longest_chain of them. The blocks
  /// are one chain, of whatever length, or, if there is no chain, `wanted` new blocks; fewer when
  /// memory is short. Returns how many it took, at least one. Throws std::bad_alloc.
  std::uint32_t take(void** blocks, std::uint32_t wanted) {
    chain* taken_chain = nullptr;
    std::uint32_t taken = 0;
    {
      const lock_guard lock(lock_);
      taken_chain = chains_;
      if (taken_chain != nullptr) {
        chains_ = taken_chain->next;
        free_count_ -= taken_chain->length();
      } else {
        while (taken < wanted) {
          void* const block = cut_one();
          if (block == nullptr) break;
          blocks[taken++] = block;
        }
      }
    }
    if (taken_chain != nullptr) taken = taken_chain->take_apart(blocks, block_size_);
    if (taken == 0) throw std::bad_alloc();
    return taken;
  }

  /// Gives `count` blocks, at least one, to the depot.
  void give(void* const* blocks, std::uint32_t count) noexcept { give(chain::of(blocks, count)); }

  // The thread's side. A magazine with capacity 0 belongs to a thread that has no record yet, or
  // that is at its very end.

  /// For an empty magazine: loads a chain of its own or blocks of the depot, and takes one block.
  [[nodiscard]] void* load(magazine& own) {
    if (own.capacity == 0) {
      std::array<void*, longest_chain> blocks;
      const std::uint32_t loaded = take(blocks.data(), 1);
      if (loaded > 1) give(blocks.data() + 1, loaded - 1);
      return blocks[0];
    }
    std::uint32_t loaded = 0;
    if (own.chains != nullptr) {
      auto& first = *static_cast<chain*>(own.chains);
      own.chains = first.next;
      count_chains(own, own.chain_count.load(std::memory_order_relaxed) - 1);
      loaded = first.take_apart(own.blocks.data(), block_size_);
    } else {
      loaded = take(own.blocks.data(), half);
    }
    own.count.store(loaded - 1, std::memory_order_relaxed);
    return own.blocks[loaded - 1];
  }

  /// For a full magazine: puts `block` in the place of the older half. The older half becomes a
  /// chain of the magazine, or goes to the depot when the magazine has enough chains.
  void unload_for(magazine& own, void* block) noexcept {
    if (own.capacity == 0) return give(&block, 1);
    chain& older = chain::of(own.blocks.data(), half);
    const std::uint32_t chain_count = own.chain_count.load(std::memory_order_relaxed);
    if ((chain_count + 1) * half * block_size_ <= most_kept) {
      older.next = static_cast<chain*>(own.chains);
      own.chains = &older;
      count_chains(own, chain_count + 1);
    } else {
      give(older);
    }
    // The newer half stays: it is in the processor's cache.
    std::copy_n(own.blocks.data() + half, half, own.blocks.data());
    own.blocks[half] = block;
    own.count.store(half + 1, std::memory_order_relaxed);
  }

  void unload_all(magazine& own) noexcept {
    while (own.chains != nullptr) {
      auto& first = *static_cast<chain*>(own.chains);
      own.chains = first.next;
      give(first);
    }
    count_chains(own, 0);
    if (const std::uint32_t count = own.count.load(std::memory_order_relaxed)) {
      give(own.blocks.data(), count);
      own.count.store(0, std::memory_order_relaxed);
    }
  }

  /// Gives the slabs whose blocks are all free back to the system. Returns the number of bytes.
  std::size_t trim() noexcept {
    const lock_guard lock(lock_);
    for (slab* each = slabs_; each != nullptr; each = each->next) each->free = 0;
    std::array<void*, longest_chain> blocks;
    for (const chain* each = chains_; each != nullptr; each = each->next) {
      const std::uint32_t count = each->take_apart(blocks.data(), block_size_);
      for (std::uint32_t i = 0; i < count; ++i) slab::of(blocks[i]).free += block_size_;
    }
    // Make new chains of the blocks that stay.
    chain* old_chains = std::exchange(chains_, nullptr);
    free_count_ = 0;
    while (old_chains != nullptr) {
      const chain& old = *old_chains;
      old_chains = old.next;
      const std::uint32_t count = old.take_apart(blocks.data(), block_size_);
      std::uint32_t staying = 0;
      for (std::uint32_t i = 0; i < count; ++i) {
        const slab& home = slab::of(blocks[i]);
        if (home.free != home.cut) blocks[staying++] = blocks[i];
      }
      if (staying != 0) add(chain::of(blocks.data(), staying));
    }
    std::size_t given_back = 0;
    for (slab** link = &slabs_; *link != nullptr;) {
      slab* const each = *link;
      if (each->free == each->cut) {
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

  /// Calls `visit` with the header of each block, in use or not. The depot's lock is held, so
  /// `visit` must neither allocate nor free a block here.
  template <class Visit>
  void for_each_header(Visit visit) {
    const lock_guard lock(lock_);
    for (slab* each = slabs_; each != nullptr; each = each->next) {
      for (std::size_t at = 0; at < each->cut; at += block_size_) {
        visit(*std::launder(reinterpret_cast<Header*>(each->blocks + at)));
      }
    }
  }

  struct figures {
    // Blocks that have ever been in use and whose slab still exists.
    std::size_t cut = 0;
    std::size_t free = 0;  // of them, those in the depot
    std::size_t reserved_bytes = 0;
  };
  [[nodiscard]] figures count() const {
    const lock_guard lock(lock_);
    return {cut_count_, free_count_, slab_count_ * slab_size};
  }

  [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }

 private:
  static constexpr bool has_header = !std::is_same_v<Header, no_header>;
  // The links of a free block come after its header.
  using chain = block_chain<has_header ? sizeof(Header) : 0>;
  static constexpr std::uint32_t half = magazine::most / 2;
  static constexpr std::uint32_t longest_chain = magazine::most;
  // The most bytes in the chains of one magazine. A depth-first walk of an irregular tree frees
  // what it allocates, but the number of its frames swings by thousands.
  static constexpr std::size_t most_kept = std::size_t{512} * 1024;

  /// A slab with its bookkeeping. Blocks are cut from the front.
  struct slab {
    [[nodiscard]] static slab& of(void* block) noexcept {
      return *reinterpret_cast<slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(slab_size - 1));
    }

    slab* next = nullptr;
    std::size_t cut = 0;              // bytes that have been cut into blocks
    std::size_t free = 0;             // of them, those that trim() found free
    alignas(16) std::byte blocks[1];  // to the end of the slab

    static constexpr std::size_t header_size = 32;
    static constexpr std::size_t room = slab_size - header_size;
  };
  static_assert(offsetof(slab, blocks) == slab::header_size);

  static_assert(half * 2 == magazine::most);

  static void count_chains(magazine& own, std::uint32_t count) noexcept {
    own.chain_count.store(count, std::memory_order_relaxed);
  }

  void give(chain& given) noexcept {
    const lock_guard lock(lock_);
    add(given);
  }

  void add(chain& added) noexcept MAGPIE_REQUIRES(lock_) {
    added.next = chains_;
    chains_ = &added;
    free_count_ += added.length();
  }

  /// Cuts the next block from the newest slab. Returns null when memory is short.
  void* cut_one() noexcept MAGPIE_REQUIRES(lock_) {
    if ((slabs_ == nullptr || slabs_->cut + block_size_ > slab::room) && !add_slab()) {
      return nullptr;
    }
    void* const block = slabs_->blocks + slabs_->cut;
    if constexpr (has_header) ::new (block) Header;
    slabs_->cut += block_size_;
    ++cut_count_;
    return block;
  }

  bool add_slab() noexcept MAGPIE_REQUIRES(lock_) {
    void* const memory = take_slab();
    if (memory == nullptr) return false;
    slab* const added = ::new (memory) slab;
    added->next = slabs_;
    slabs_ = added;
    ++slab_count_;
    return true;
  }

  mutable spin_lock lock_;
  chain* chains_ MAGPIE_GUARDED_BY(lock_) = nullptr;
  slab* slabs_ MAGPIE_GUARDED_BY(lock_) = nullptr;  // only the first may have room left
  std::size_t free_count_ MAGPIE_GUARDED_BY(lock_) = 0;
  std::size_t cut_count_ MAGPIE_GUARDED_BY(lock_) = 0;
  std::size_t slab_count_ MAGPIE_GUARDED_BY(lock_) = 0;
  const std::size_t block_size_;
};

}  // namespace magpie::detail
