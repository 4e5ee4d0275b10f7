#include <magpie/detail/slot_pool.hpp>

#include <new>

#include "scheduler/slot_depot.hpp"
#include "scheduler/thread_records.hpp"

namespace magpie::detail {

static_assert(slot::link_size == block_link_size);

depot<slot_header>& slot_depot() noexcept {
  alignas(depot<slot_header>) static std::byte place[sizeof(depot<slot_header>)];
  static auto* const shared = ::new (place) depot<slot_header>(sizeof(slot));
  return *shared;
}

slot& allocate_slot_slowly() {
  return *static_cast<slot*>(slot_depot().load(usable_record().slots));
}

void free_slot_slowly(slot& freed) noexcept {
  slot_depot().unload_for(thread_record::current().slots, &freed);
}

void for_each_slab_of_slots(const std::function<void(std::span<slot>)>& visit) {
  slot_depot().for_each_slab([&visit](std::byte* blocks, std::size_t size) {
    visit({std::launder(reinterpret_cast<slot*>(blocks)), size / sizeof(slot)});
  });
}

}  // namespace magpie::detail
