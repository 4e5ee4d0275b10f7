#include "runtime/registry.hpp"

namespace magpie::detail {

registry::registry(std::size_t shards) : shards_(shards) {}

bool registry::add(task_state_base& task, std::size_t shard_index) {
  shard& home = shards_[shard_index];
  task.shard_ = static_cast<std::uint32_t>(shard_index);
  const std::lock_guard lock(home.mutex);
  if (home.closed) return false;
  task.next_ = home.first;
  if (home.first != nullptr) home.first->previous_ = &task;
  home.first = &task;
  return true;
}

void registry::remove(task_state_base& task) noexcept {
  shard& home = shards_[task.shard_];
  {
    const std::lock_guard lock(home.mutex);
    if (task.next_ != nullptr) task.next_->previous_ = task.previous_;
    (task.previous_ != nullptr ? task.previous_->next_ : home.first) = task.next_;
  }
  if (awaited_.load(std::memory_order_seq_cst)) {
    const std::lock_guard lock(emptied_mutex_);
    emptied_.notify_all();
  }
}

void registry::close_when_empty() {
  awaited_.store(true, std::memory_order_seq_cst);
  std::unique_lock lock(emptied_mutex_);
  emptied_.wait(lock, [this] { return close_if_empty(); });
}

/// All shards are locked together: a task may end in one after it spawned into another.
bool registry::close_if_empty() {
  for (shard& each : shards_) each.mutex.lock();
  bool empty = true;
  for (const shard& each : shards_) empty = empty && each.first == nullptr;
  for (shard& each : shards_) each.closed = empty;
  for (shard& each : shards_) each.mutex.unlock();
  return empty;
}

}  // namespace magpie::detail
