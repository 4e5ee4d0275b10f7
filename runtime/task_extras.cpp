#include "runtime/task_extras.hpp"

#include <atomic>
#include <magpie/detail/misuse.hpp>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/forked_process.hpp"
#include "runtime/local_values.hpp"
#include "runtime/runtime_core.hpp"

namespace magpie::detail {

done_callback_id task_state_base::add_done_callback(done_callback callback) {
  forked_process::check();
  static std::atomic<std::uint64_t> next_id{1};
  const done_callback_id id{next_id.fetch_add(1, std::memory_order_relaxed)};
  extras().callbacks.add(id, std::move(callback));
  return id;
}

std::size_t task_state_base::remove_done_callback(done_callback_id id) {
  task_extras* const existing = existing_extras();
  return existing != nullptr ? existing->callbacks.remove(id) : 0;
}

task_extras& task_state_base::extras() {
  if (task_extras* const existing = existing_extras()) return *existing;
  auto made = std::make_unique<task_extras>(*this, 0);
  const lock_guard guard(*this);
  if (task_extras* const existing = existing_extras()) return *existing;
  made->name.number = number_itself();
  if (look().has_ended()) static_cast<void>(made->callbacks.task_ended());
  set_extras(made.get());
  return *made.release();
}

shared_locals task_state_base::locals() noexcept {
  task_extras* const existing = existing_extras();
  if (existing == nullptr || !existing->has_locals.load(std::memory_order_acquire)) [[likely]]
    return nullptr;
  const lock_guard guard(*this);
  return existing->locals;
}

/// The caller holds the values that are replaced, so no value of a user's is destroyed under the
/// lock.
bool task_state_base::exchange_locals(const shared_locals& expected, const shared_locals& desired) {
  task_extras& all = extras();
  const lock_guard guard(*this);
  if (all.locals != expected) return false;
  all.locals = desired;
  all.has_locals.store(true, std::memory_order_release);
  return true;
}

void task_state_base::drop_locals() noexcept {
  task_extras* const existing = existing_extras();
  if (existing == nullptr) [[likely]]
    return;
  shared_locals dropped;  // destroyed after the lock is released: the values are a user's
  const lock_guard guard(*this);
  dropped.swap(existing->locals);
}

}  // namespace magpie::detail
