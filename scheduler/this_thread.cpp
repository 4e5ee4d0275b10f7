#include <magpie/detail/this_thread.hpp>

#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <memory>
#include <new>
#include <utility>

#include "scheduler/thread_records.hpp"

namespace magpie::detail {

namespace {

struct plain_record final : thread_record {};

/// The record of threads that have none of their own.
constinit plain_record unusable;

}  // namespace

// The asm in thread_record::current() relies on this name and on this access model.
[[gnu::used, gnu::tls_model("initial-exec")]] constinit thread_local thread_record*
    this_thread_record asm("magpie_this_thread") = &unusable;

[[gnu::noinline]] thread_record& thread_record::current_elsewhere() noexcept {
  thread_record* result = this_thread_record;
  // The compiler must deduce nothing about the result from an earlier call.
  asm volatile("" : "+r"(result));
  return *result;
}

namespace {

/// All usable records.
struct record_list {
  thread_mutex mutex;  // guards the records' links, too
  thread_record* first MAGPIE_GUARDED_BY(mutex) = nullptr;

  static record_list& instance() {
    // Never destroyed, since threads may end after main. Not allocated, so that a thread can start
    // without memory.
    alignas(record_list) static std::byte place[sizeof(record_list)];
    static auto* const records = ::new (place) record_list;
    return *records;
  }
};

struct owned_record {
  plain_record* record = nullptr;
  bool ended = false;

  ~owned_record() {
    ended = true;
    if (record == nullptr) return;
    leave_record(*record);
    delete record;
    record = nullptr;
  }
};

thread_local owned_record owned;

}  // namespace

thread_record& usable_record() {
  if (this_thread_record == &unusable && !owned.ended) {
    owned.record = new plain_record;
    enter_record(*owned.record);
  }
  return *this_thread_record;
}

void enter_record(thread_record& record) noexcept {
  add_record(record);
  this_thread_record = &record;
}

void leave_record(thread_record& record) noexcept {
  this_thread_record = &unusable;
  remove_record(record);
}

thread_record& exchange_record(thread_record& record) noexcept {
  return *std::exchange(this_thread_record, &record);
}

void add_record(thread_record& record) noexcept {
  for (magazine& each : record.magazines) each.capacity = magazine::most;
  record.slots.capacity = magazine::most;
  record_list& records = record_list::instance();
  const lock_guard lock(records.mutex);
  record.next = records.first;
  record.previous = nullptr;
  if (records.first != nullptr) records.first->previous = &record;
  records.first = &record;
}

void remove_record(thread_record& record) noexcept {
  give_back_blocks(record);
  record_list& records = record_list::instance();
  const lock_guard lock(records.mutex);
  if (record.next != nullptr) record.next->previous = record.previous;
  (record.previous != nullptr ? record.previous->next : records.first) = record.next;
}

void for_each_record(const std::function<void(const thread_record&)>& visit) {
  record_list& records = record_list::instance();
  const lock_guard lock(records.mutex);
  for (thread_record* each = records.first; each != nullptr; each = each->next) visit(*each);
}

}  // namespace magpie::detail
