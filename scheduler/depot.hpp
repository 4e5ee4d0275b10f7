#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/this_thread.hpp>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "scheduler/slabs.hpp"
#include "scheduler/spin_lock.hpp"

namespace magpie::detail {

/// The least size of a depot's blocks.
inline constexpr std::size_t smallest_block = 32;

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

  /// Up to `wanted` blocks into `blocks`; fewer, but at least one, when memory is short. `wanted`
  /// is a chain's length or more. Throws std::bad_alloc.
  std::uint32_t take(void** blocks, std::uint32_t wanted) {
    free_block* chain = nullptr;
    std::uint32_t taken = 0;
    {
      const std::lock_guard lock(lock_);
      chain = chains_;
      if (chain != nullptr) {
        chains_ = chain->next_chain;
        free_count_ -= chain->length;
      } else {
        while (taken < wanted) {
          void* const block = cut_one();
          if (block == nullptr) break;
          blocks[taken++] = block;
        }
      }
    }
    if (chain != nullptr) taken = unchain(chain, blocks);
    if (taken == 0) throw std::bad_alloc();
    return taken;
  }

  /// At least one.
  void give(void* const* blocks, std::uint32_t count) noexcept { give(*chain_of(blocks, count)); }

  // The thread's side. A magazine with capacity 0 is that of a thread at its very end.

  /// When `own` is empty: loads half of it and takes one.
  [[nodiscard]] void* load(magazine& own) {
    if (own.capacity == 0) {
      std::array<void*, longest_chain> blocks;
      const std::uint32_t loaded = take(blocks.data(), 1);
      if (loaded > 1) give(blocks.data() + 1, loaded - 1);
      return blocks[0];
    }
    std::uint32_t loaded = 0;
    if (own.chains != nullptr) {
      auto* const chain = static_cast<free_block*>(own.chains);
      own.chains = chain->next_chain;
      count_chains(own, own.chain_count.load(std::memory_order_relaxed) - 1);
      loaded = unchain(chain, own.blocks.data());
    } else {
      loaded = take(own.blocks.data(), half);
    }
    own.count.store(loaded - 1, std::memory_order_relaxed);
    return own.blocks[loaded - 1];
  }

  /// When `own` is full: puts `block` into it in the place of the older half, which is kept as a
  /// chain or, when there are many, given away.
  void unload_for(magazine& own, void* block) noexcept {
    if (own.capacity == 0) return give(&block, 1);
    free_block& chain = *chain_of(own.blocks.data(), half);
    const std::uint32_t chain_count = own.chain_count.load(std::memory_order_relaxed);
    if ((chain_count + 1) * half * block_size_ <= most_kept) {
      chain.next_chain = static_cast<free_block*>(own.chains);
      own.chains = &chain;
      count_chains(own, chain_count + 1);
    } else {
      give(chain);
    }
    // The newer ones are in the processor's cache.
    std::copy_n(own.blocks.data() + half, half, own.blocks.data());
    own.blocks[half] = block;
    own.count.store(half + 1, std::memory_order_relaxed);
  }

  void unload_all(magazine& own) noexcept {
    while (own.chains != nullptr) {
      auto& chain = *static_cast<free_block*>(own.chains);
      own.chains = chain.next_chain;
      give(chain);
    }
    count_chains(own, 0);
    if (const std::uint32_t count = own.count.load(std::memory_order_relaxed)) {
      give(own.blocks.data(), count);
      own.count.store(0, std::memory_order_relaxed);
    }
  }

  /// Gives back the slabs of which all blocks are free. Returns how many bytes.
  std::size_t trim() noexcept {
    const std::lock_guard lock(lock_);
    for (slab* each = slabs_; each != nullptr; each = each->next) each->free = 0;
    for_each_free([this](free_block& each) { slab::of(&each).free += block_size_; });
    // The chains are made anew, one block each, from those that stay.
    free_block* old_chains = std::exchange(chains_, nullptr);
    free_count_ = 0;
    while (old_chains != nullptr) {
      free_block* block = old_chains;
      old_chains = old_chains->next_chain;
      while (block != nullptr) {
        free_block* const following = block->next;
        if (slab::of(block).free != slab::of(block).cut) {
          chains_ = ::new (block) free_block{nullptr, chains_, 1};
          ++free_count_;
        }
        block = following;
      }
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

  /// Calls `visit` with the header of each block, in use or not. The depot's lock is held: `visit`
  /// may neither allocate nor free a block here.
  template <class Visit>
  void for_each_header(Visit visit) {
    const std::lock_guard lock(lock_);
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
    const std::lock_guard lock(lock_);
    return {cut_count_, free_count_, slab_count_ * slab_size};
  }

  [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }

 private:
  static constexpr bool has_header = !std::is_same_v<Header, no_header>;
  static constexpr std::size_t link_offset = has_header ? sizeof(Header) : 0;
  static constexpr std::uint32_t half = magazine::most / 2;
  static constexpr std::uint32_t longest_chain = magazine::most;
  // Bytes in the chains of one magazine. A depth-first walk of an irregular tree, which frees what
  // it allocates, swings by thousands of frames.
  static constexpr std::size_t most_kept = std::size_t{512} * 1024;

  /// How a block that lies here is linked: blocks come and go in chains, so that little is to be
  /// done under the lock.
  struct free_block {
    free_block* next;        // in the chain
    free_block* next_chain;  // of a chain's first block
    std::uint32_t length;    // of the chain that begins here
  };
  static_assert(link_offset + sizeof(free_block) <= smallest_block);

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

  static_assert(half * 2 == magazine::most);

  static free_block* chain_of(void* const* blocks, std::uint32_t count) noexcept {
    free_block* chain = nullptr;
    for (std::uint32_t i = 0; i < count; ++i) {
      chain = ::new (static_cast<std::byte*>(blocks[i]) + link_offset)
          free_block{chain, nullptr, i + 1};
    }
    return chain;
  }

  static std::uint32_t unchain(free_block* chain, void** blocks) noexcept {
    std::uint32_t count = 0;
    for (; chain != nullptr; chain = chain->next) {
      blocks[count++] = reinterpret_cast<std::byte*>(chain) - link_offset;
    }
    return count;
  }

  static void count_chains(magazine& own, std::uint32_t count) noexcept {
    own.chain_count.store(count, std::memory_order_relaxed);
  }

  void give(free_block& chain) noexcept {
    const std::lock_guard lock(lock_);
    chain.next_chain = chains_;
    chains_ = &chain;
    free_count_ += chain.length;
  }

  template <class Visit>
  void for_each_free(Visit visit) noexcept {
    for (free_block* chain = chains_; chain != nullptr; chain = chain->next_chain) {
      for (free_block* each = chain; each != nullptr; each = each->next) visit(*each);
    }
  }

  /// The next block of the newest slab; null when memory is short.
  void* cut_one() noexcept {
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

  mutable spin_lock lock_;  // guards all below
  free_block* chains_ = nullptr;
  slab* slabs_ = nullptr;  // only the first may have room left
  std::size_t free_count_ = 0;
  std::size_t cut_count_ = 0;
  std::size_t slab_count_ = 0;
  const std::size_t block_size_;
};

}  // namespace magpie::detail
