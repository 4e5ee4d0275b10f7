#pragma once

#include <functional>
#include <magpie/detail/this_thread.hpp>

namespace magpie::detail {

/// The calling thread's record, made now if it has none yet. It cannot be used (its magazines hold
/// nothing and take nothing) when the thread is about to end. Throws std::bad_alloc.
[[nodiscard]] thread_record& usable_record();

/// Makes `record` usable and the calling thread's own, and takes it off again, which gives its
/// blocks back. For workers.
void enter_record(thread_record& record) noexcept;
void leave_record(thread_record& record) noexcept;

/// The same for a record that is one thread's now and another's then: makes it usable, and no
/// longer; puts it in the place of the calling thread's own, which is returned.
void add_record(thread_record& record) noexcept;
void remove_record(thread_record& record) noexcept;
[[nodiscard]] thread_record& exchange_record(thread_record& record) noexcept;

/// The records of all threads that have one.
void for_each_record(const std::function<void(const thread_record&)>& visit);

/// Empties the magazines into the depots. On the record's own thread. Defined by the frame pool.
void give_back_blocks(thread_record& record) noexcept;

}  // namespace magpie::detail
