#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace magpie::detail {

/// In place of the pool: what is freed is wiped and stays until the execution is over, so that who
/// uses it afterwards meets zeros: dead atomics, null pointers.
class frames {
 public:
  static void* allocate(std::size_t size) {
    ++alive_;
    void* const frame = ::operator new(size);
    std::memset(frame, 0xbe, size);  // who uses what was never written meets no zeros
    return frame;
  }
  static void free(void* frame, std::size_t size) noexcept {
    --alive_;
    std::memset(frame, 0, size);
    freed_.push_back({static_cast<const char*>(frame), size});
  }

  /// After an execution: whether all were freed, and not written to afterwards.
  static bool are_gone() {
    bool all_wiped = true;
    for (const block& each : freed_) {
      for (std::size_t i = 0; i < each.size; ++i) all_wiped = all_wiped && each.bytes[i] == 0;
      ::operator delete(const_cast<char*>(each.bytes));
    }
    freed_.clear();
    return std::exchange(alive_, 0) == 0 && all_wiped;
  }

 private:
  struct block {
    const char* bytes;
    std::size_t size;
  };

  static inline std::vector<block> freed_;
  static inline int alive_ = 0;
};

[[nodiscard]] inline void* allocate_frame(std::size_t size) { return frames::allocate(size); }
inline void free_frame(void* frame, std::size_t size) noexcept { frames::free(frame, size); }

}  // namespace magpie::detail
