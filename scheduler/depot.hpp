#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/spin_lock.hpp>
#include <magpie/detail/this_thread.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
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
  /// are one chain, of whatever length, or, if there is no chain, up to `wanted` new blocks of one
  /// slab. Returns how many it took, at least one. Throws std::bad_alloc.
  std::uint32_t take(void** blocks, std::uint32_t wanted) {
    for (;;) {
      chain* taken = nullptr;
      {
        const lock_guard lock(lock_);
        if (chains_ == nullptr) {
          if (const std::uint32_t count = cut(blocks, wanted)) return count;
        } else {
          taken = chains_;
          chains_ = taken->next;
          free_count_ -= taken->length();
        }
      }
      if (taken != nullptr) return taken->take_apart(blocks, block_size_);
      add_slab();
    }
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

  /// Gives the slabs whose blocks are all in the depot back to the system. Returns the number of
  /// bytes. Meanwhile it has these blocks for itself, so other threads may have new ones cut.
  std::size_t trim() noexcept {
    const lock_guard alone(trimming_);
    chain* const all = [this] {
      const lock_guard lock(lock_);
      return std::exchange(chains_, nullptr);
    }();
    std::array<void*, longest_chain> blocks;
    for (const chain* each = all; each != nullptr; each = each->next) {
      const std::uint32_t count = each->take_apart(blocks.data(), block_size_);
      for (std::uint32_t i = 0; i < count; ++i) slab::of(blocks[i]).free += block_size_;
    }
    slab* const leaving = unlink_free_slabs();
    for (chain* rest = all; rest != nullptr;) {
      const chain& old = *rest;
      rest = old.next;
      const std::uint32_t count = old.take_apart(blocks.data(), block_size_);
      std::uint32_t staying = 0;
      for (std::uint32_t i = 0; i < count; ++i) {
        slab& home = slab::of(blocks[i]);
        if (home.is_leaving) continue;
        home.free = 0;  // for the next call
        blocks[staying++] = blocks[i];
      }
      if (staying == 0) continue;
      chain& made = chain::of(blocks.data(), staying);
      const lock_guard lock(lock_);
      link(made);
    }
    std::size_t given_back = 0;
    for (slab* rest = leaving; rest != nullptr; given_back += slab_size) {
      give_slab(std::exchange(rest, rest->next));
    }
    return given_back;
  }

  /// Calls `visit(first, size)` for each slab: `size` bytes of blocks, in use or not, each of which
  /// begins with its header. That is all blocks that were cut before the call. No lock is held, and
  /// the slab stays during its visit, so `visit` may allocate and free blocks, and throw.
  template <class Visit>
  void for_each_slab(Visit visit) {
    for (pinned_slab each(*this); each.is_there(); each.advance()) visit(each.blocks(), each.cut());
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
    std::size_t cut = 0;     // bytes that have been cut into blocks
    std::size_t free = 0;    // of them, those in the hands of trim(), which alone uses it
    std::uint32_t pins = 0;  // the pinned_slabs that are here
    bool is_leaving = false;
    alignas(16) std::byte blocks[1];  // to the end of the slab

    static constexpr std::size_t header_size = 32;
    static constexpr std::size_t room = slab_size - header_size;
  };
  static_assert(offsetof(slab, blocks) == slab::header_size);

  /// Keeps one slab after the other, the newest first, from going back to the system.
  class pinned_slab {
   public:
    explicit pinned_slab(depot& of) noexcept : depot_(of) {
      const lock_guard lock(depot_.lock_);
      pin(depot_.slabs_);
    }
    pinned_slab(const pinned_slab&) = delete;
    pinned_slab& operator=(const pinned_slab&) = delete;
    ~pinned_slab() {
      if (slab_ == nullptr) return;
      const lock_guard lock(depot_.lock_);
      --slab_->pins;
    }

    [[nodiscard]] bool is_there() const noexcept { return slab_ != nullptr; }
    [[nodiscard]] std::byte* blocks() const noexcept { return slab_->blocks; }
    [[nodiscard]] std::size_t cut() const noexcept { return cut_; }

    void advance() noexcept {
      const lock_guard lock(depot_.lock_);
      --slab_->pins;
      pin(slab_->next);
    }

   private:
    void pin(slab* chosen) noexcept MAGPIE_REQUIRES(depot_.lock_) {
      slab_ = chosen;
      if (chosen == nullptr) return;
      ++chosen->pins;
      cut_ = chosen->cut;
    }

    depot& depot_;
    slab* slab_ = nullptr;
    std::size_t cut_ = 0;
  };

  static_assert(half * 2 == magazine::most);

  static void count_chains(magazine& own, std::uint32_t count) noexcept {
    own.chain_count.store(count, std::memory_order_relaxed);
  }

  void give(chain& given) noexcept {
    const lock_guard lock(lock_);
    link(given);
    free_count_ += given.length();
  }

  void link(chain& added) noexcept MAGPIE_REQUIRES(lock_) {
    added.next = chains_;
    chains_ = &added;
  }

  [[nodiscard]] bool has_room() const noexcept MAGPIE_REQUIRES(lock_) {
    return slabs_ != nullptr && slabs_->cut + block_size_ <= slab::room;
  }

  /// Cuts up to `wanted` blocks from the newest slab. Returns how many.
  std::uint32_t cut(void** blocks, std::uint32_t wanted) noexcept MAGPIE_REQUIRES(lock_) {
    std::uint32_t count = 0;
    for (; count < wanted && has_room(); ++count) {
      void* const block = slabs_->blocks + slabs_->cut;
      if constexpr (has_header) ::new (block) Header;
      slabs_->cut += block_size_;
      blocks[count] = block;
    }
    cut_count_ += count;
    return count;
  }

  /// Adds a slab, unless another thread does so at the same time. The system maps memory for it, so
  /// the lock is not held in that time.
  void add_slab() {
    void* const memory = take_slab();
    if (memory == nullptr) throw std::bad_alloc();
    slab* const added = ::new (memory) slab;
    {
      const lock_guard lock(lock_);
      if (!has_room()) {
        added->next = slabs_;
        slabs_ = added;
        ++slab_count_;
        return;
      }
    }
    give_slab(added);
  }

  /// For trim(): returns the slabs that it alone has, linked; they are in the depot no more.
  [[nodiscard]] slab* unlink_free_slabs() noexcept {
    slab* leaving = nullptr;
    const lock_guard lock(lock_);
    for (slab** link = &slabs_; *link != nullptr;) {
      slab& each = **link;
      if (each.free != each.cut || each.pins != 0) {
        link = &each.next;
        continue;
      }
      *link = each.next;
      each.is_leaving = true;
      each.next = std::exchange(leaving, &each);
      cut_count_ -= each.cut / block_size_;
      free_count_ -= each.cut / block_size_;
      --slab_count_;
    }
    return leaving;
  }

  thread_mutex trimming_;  // held by the thread in trim()
  mutable spin_lock lock_;
  chain* chains_ MAGPIE_GUARDED_BY(lock_) = nullptr;
  slab* slabs_ MAGPIE_GUARDED_BY(lock_) = nullptr;       // only the first may have room left
  std::size_t free_count_ MAGPIE_GUARDED_BY(lock_) = 0;  // those that trim() has too
  std::size_t cut_count_ MAGPIE_GUARDED_BY(lock_) = 0;
  std::size_t slab_count_ MAGPIE_GUARDED_BY(lock_) = 0;
  const std::size_t block_size_;
};

}  // namespace magpie::detail
