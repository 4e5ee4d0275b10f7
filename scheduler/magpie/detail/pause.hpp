#pragma once

namespace magpie::detail {

/// A hint to the processor: this thread spins until another thread has done something.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace magpie::detail
