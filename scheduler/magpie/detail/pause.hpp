#pragma once

namespace magpie::detail {

/// Tells the processor that this thread waits for another one.
inline void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace magpie::detail
