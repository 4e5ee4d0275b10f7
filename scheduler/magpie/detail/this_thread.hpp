#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace magpie::detail {

/// Free blocks of one size class that one thread keeps for its own use: the magazine of Bonwick and
/// Adams, Magazines and Vmem, USENIX 2001. The frame pool and the slot pool take blocks from it and
/// put blocks into it; "scheduler/depot.hpp" loads and unloads it.
struct magazine {
  static constexpr std::uint32_t most = 60;

  // The number of blocks. Its thread alone writes it; atomic because frame_statistics() reads it on
  // another thread. Relaxed.
  std::atomic<std::uint32_t> count{0};
  std::uint32_t capacity = 0;  // `most`, or 0: then the thread can neither take nor put a block
  // Further blocks, in chains of half of `most`, linked as in the depot. A thread will allocate
  // again what it frees. If it gave the blocks away, it would have to fetch them from other
  // processors' caches. The count is written and read like `count`.
  std::atomic<std::uint32_t> chain_count{0};
  void* chains = nullptr;
  std::array<void*, most> blocks{};

  /// Any thread: the number of blocks in the magazine and its chains.
  [[nodiscard]] std::size_t size() const noexcept {
    return count.load(std::memory_order_relaxed) +
           std::size_t{chain_count.load(std::memory_order_relaxed)} * (most / 2);
  }
};

/// The state that belongs to one thread, behind one thread-local pointer. A worker is the record of
/// its thread. Another thread gets a record when it first needs one. Before that and at its end it
/// has a record that is unusable and that all such threads share.
struct thread_record {
  static constexpr std::size_t class_count = 40;

  thread_record() noexcept = default;
  thread_record(const thread_record&) = delete;
  thread_record& operator=(const thread_record&) = delete;

  /// Returns the calling thread's record. A coroutine may continue on another thread after each
  /// suspension. A compiler that keeps or recomputes a thread-local address across a suspension
  /// would be wrong (clang does, LLVM issue 111257). An asm volatile is neither kept nor moved nor
  /// repeated, so this function may be inlined into coroutines. The caller must not keep its result
  /// across a co_await.
  [[nodiscard]] static thread_record& current() noexcept {
#if defined(__x86_64__) && defined(__ELF__)
    thread_record* result;
    asm volatile(
        "movq magpie_this_thread@gottpoff(%%rip), %0\n\t"
        "movq %%fs:(%0), %0"
        : "=r"(result));
    return *result;
#else
    return current_elsewhere();
#endif
  }

  bool is_worker = false;
  thread_record* next = nullptr;  // the list of all usable records, guarded by its lock
  thread_record* previous = nullptr;
  // Null, or the scheduler that this thread is calling from outside. null -> scheduler by this
  // thread (relaxed), before the call publishes anything. scheduler -> null by this thread
  // (release), after the call's last access to the scheduler; the scheduler's destructor acquires
  // it.
  std::atomic<const void*> inside{nullptr};
  std::array<magazine, class_count> magazines{};  // the frame pool's, one for each size class
  magazine slots;                                 // the slot pool's

 protected:
  ~thread_record() = default;

 private:
  [[nodiscard]] static thread_record& current_elsewhere() noexcept;
};

}  // namespace magpie::detail
