#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "toolchain/minimal_task.hpp"

namespace canary {

struct alignas(64) cache_line {
  unsigned char bytes[64] = {};
};

// The compiler may believe that a cache_line is aligned and fold the remainder to 0; an address
// that has passed through the asm is only a number.
[[gnu::noinline]] inline bool on_a_cache_line(const void* address) {
  asm volatile("" : "+r"(address));
  return reinterpret_cast<std::uintptr_t>(address) % 64 == 0;
}

// A coroutine whose frame lies as badly as a heap may lay it: a plain operator new, which is what
// a frame pool has, promises multiples of 16 and no more. Mark the coroutine noinline, or its frame
// may come to lie in the caller's and never be allocated.
template <class Member>
struct badly_placed {
  struct promise_type {
    static void* operator new(std::size_t size) {
      void* line = ::operator new(size + sizeof(cache_line), std::align_val_t{64});
      return static_cast<unsigned char*>(line) + 16;
    }
    static void operator delete(void* frame) {
      ::operator delete(static_cast<unsigned char*>(frame) - 16, std::align_val_t{64});
    }
    badly_placed get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::abort(); }
    Member member;
  };

  void finish() const {
    while (!frame.done()) frame.resume();
    frame.destroy();
  }

  std::coroutine_handle<promise_type> frame;
};

struct nothing {};

}  // namespace canary
