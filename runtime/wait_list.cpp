#include <magpie/detail/wait_list.hpp>

#include "runtime/lock_bit.hpp"

namespace magpie::detail {

void wait_list::lock_slowly() noexcept { lock_bit_slowly(word_, lock_bit); }

}  // namespace magpie::detail
