#pragma once

#include <functional>
#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

/// Returns the calling thread's record, and makes it first if the thread has none. When the thread
/// is about to end, the result is unusable: its magazines can neither give nor take a block. Throws
/// std::bad_alloc.
[[nodiscard]] thread_record& usable_record();

/// For workers. enter_record() makes `record` usable and makes it the calling thread's own.
/// leave_record() undoes both and gives the record's blocks back.
void enter_record(thread_record& record) noexcept;
void leave_record(thread_record& record) noexcept;

/// The same in parts, for a record that different threads use one after the other. add_record()
/// makes it usable; remove_record() ends that and gives its blocks back. exchange_record() makes it
/// the calling thread's own, and returns the record that it replaces.
void add_record(thread_record& record) noexcept;
void remove_record(thread_record& record) noexcept;
[[nodiscard]] thread_record& exchange_record(thread_record& record) noexcept;

/// Calls `visit` with each usable record, under the list's lock.
void for_each_record(const std::function<void(const thread_record&)>& visit);

/// Empties the record's magazines into the depots. On the record's own thread. The frame pool
/// defines it.
void give_back_blocks(thread_record& record) noexcept;

}  // namespace magpie::detail
