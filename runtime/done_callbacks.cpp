#include "runtime/done_callbacks.hpp"

#include <algorithm>
#include <magpie/detail/lock_guard.hpp>
#include <utility>

#include "runtime/runtime_core.hpp"

namespace magpie::detail {

bool done_callbacks::add(done_callback_id id, done_callback callback) {
  const lock_guard lock(mutex_);
  entries_.push_back({id, std::move(callback)});
  // A task that ended before this object was made has not called task_ended().
  ended_ = ended_ || owner_.is_done();
  return ended_ && !std::exchange(submitted_, true);
}

std::size_t done_callbacks::remove(done_callback_id id) {
  std::list<entry> removed;  // destroyed after the lock is released: a callback may own anything
  const lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [id](const entry& each) { return each.id == id; });
  if (found == entries_.end()) return 0;
  removed.splice(removed.end(), entries_, found);
  return 1;
}

void done_callbacks::withdraw(done_callback_id id) {
  remove(id);
  const lock_guard lock(mutex_);
  submitted_ = false;
}

bool done_callbacks::task_ended() noexcept {
  const lock_guard lock(mutex_);
  ended_ = true;
  return !entries_.empty() && !std::exchange(submitted_, true);
}

void done_callbacks::run_all(job& self, worker& here) noexcept {
  auto& callbacks = static_cast<done_callbacks&>(self);
  task_state_base& owner = callbacks.owner_;
  here.set_context(nullptr);
  while (std::optional<entry> due = callbacks.take_next()) callbacks.run(*due);
  // The submission took a handle and a place in the registry. Without the handle this object may be
  // gone; without the place the runtime may be.
  owner.drop_handle();
  runtime_core::of(here).tasks.remove(here);
}

std::optional<done_callbacks::entry> done_callbacks::take_next() noexcept {
  const lock_guard lock(mutex_);
  if (entries_.empty()) {
    submitted_ = false;
    return std::nullopt;
  }
  std::optional<entry> due(std::move(entries_.front()));
  entries_.pop_front();
  return due;
}

void done_callbacks::run(entry& due) noexcept {
  try {
    due.callback(handle_access::share(owner_));
  } catch (...) {
    owner_.report(std::current_exception());
  }
}

}  // namespace magpie::detail
