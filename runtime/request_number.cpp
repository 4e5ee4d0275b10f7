#include <magpie/detail/request_number.hpp>

#include <atomic>

namespace magpie::detail {

/// Relaxed: whoever compares two numbers of one scope has got both under that scope's lock, or from
/// somebody who has.
std::uint64_t next_request_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace magpie::detail
