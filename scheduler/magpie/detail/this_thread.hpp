#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace magpie::detail {

/// Free blocks of one size class that one thread keeps for its own use: the magazine of Bonwick and
/// Adams, Magazines and Vmem, USENIX 2001. "frame_pool.hpp" loads and unloads it.
struct magazine {
  static constexpr std::uint32_t most = 60;

  // Moved by its thread only; atomic for frame_statistics(), which reads it from elsewhere.
  std::atomic<std::uint32_t> count{0};
  std::uint32_t capacity = 0;  // `most`, or 0: then neither taking nor giving succeeds
  // Further blocks, in chains of half of `most`, as the depot links them: what a thread frees, it
  // will allocate again, and would have to fetch from other processors' caches if it gave it away.
  std::atomic<std::uint32_t> chain_count{0};
  void* chains = nullptr;
  std::array<void*, most> blocks{};

  /// How many blocks it holds. Any thread.
  [[nodiscard]] std::size_t size() const noexcept {
    return count.load(std::memory_order_relaxed) +
           std::size_t{chain_count.load(std::memory_order_relaxed)} * (most / 2);
  }
};

/// What belongs to one thread, behind one thread-local pointer. A worker is the record of its
/// thread; other threads get one when they first need it, and share an unusable one until then.
struct thread_record {
  static constexpr std::size_t class_count = 40;

  thread_record() noexcept = default;
  thread_record(const thread_record&) = delete;
  thread_record& operator=(const thread_record&) = delete;

  /// The calling thread's. A coroutine may continue on another thread after each suspension, and a
  /// compiler that keeps or recomputes a thread-local address across it would be wrong (clang does,
  /// LLVM issue 111257). An asm volatile is neither kept nor moved nor repeated, so this may be
  /// inlined into coroutines; its result must not be kept across a co_await.
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
  // Null, or the scheduler into which this thread is calling from outside. Set (relaxed) before the
  // call publishes anything, and cleared (release) after its last touch of the scheduler, whose end
  // looks here (acquire).
  std::atomic<const void*> inside{nullptr};
  std::array<magazine, class_count> magazines{};  // of the frame pool, one a size class
  magazine slots;                                 // of the slot pool

 protected:
  ~thread_record() = default;

 private:
  [[nodiscard]] static thread_record& current_elsewhere() noexcept;
};

}  // namespace magpie::detail
