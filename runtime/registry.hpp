#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <magpie/task_state.hpp>
#include <mutex>

namespace magpie::detail {

/// The live tasks of a runtime: entered before they can run, removed before they are seen to be
/// done. In shards, so that workers do not meet at one lock.
class registry {
 public:
  explicit registry(std::size_t shards);

  /// False when the registry is closed.
  [[nodiscard]] bool add(task_state_base& task, std::size_t shard);
  void remove(task_state_base& task) noexcept;

  /// Calls `visit` with each live task. Its lock is held, so `visit` takes a handle and no more.
  template <class Visit>
  void for_each(Visit visit) {
    for (shard& each : shards_) {
      const std::lock_guard lock(each.mutex);
      for (task_state_base* task = each.first; task != nullptr; task = task->next_) visit(*task);
    }
  }

  /// Blocks until no task is alive; from then on none can be added. Tasks may still spawn others
  /// meanwhile.
  void close_when_empty();

 private:
  struct alignas(64) shard {
    std::mutex mutex;
    task_state_base* first = nullptr;  // guarded by mutex
    bool closed = false;               // guarded by mutex
  };

  [[nodiscard]] bool close_if_empty();

  std::deque<shard> shards_;
  // false -> true once, before close_when_empty() looks the first time; remove() reads it after its
  // shard's lock was released, so that either the look or the notification sees the removal.
  std::atomic<bool> awaited_{false};
  std::mutex emptied_mutex_;
  std::condition_variable emptied_;
};

}  // namespace magpie::detail
