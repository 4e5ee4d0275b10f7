#include "runtime/done_callbacks.hpp"

#include <algorithm>
#include <magpie/detail/lock_guard.hpp>
#include <utility>

#include "runtime/runtime_core.hpp"

namespace magpie::detail {

/// The lock is held while the runtime is asked. So when another thread finds the job submitted, the
/// runtime has accepted it.
void done_callbacks::add(done_callback_id id, done_callback callback) {
  std::list<entry> added;  // destroyed after the lock is released: a callback may own anything
  added.push_back({id, std::move(callback)});
  runtime_core* home = nullptr;
  {
    const lock_guard lock(mutex_);
    if (ended_ && !submitted_) {
      home = runtime_core::try_add_task(runtime_identity(owner_.identity_of_home()));
      if (home == nullptr) {
        throw_invalid_state("the runtime of an ended task to run still, for a done callback");
      }
      submitted_ = true;
    }
    entries_.splice(entries_.end(), added);
  }
  if (home != nullptr) submit_to(*home);
}

/// The job is a visit, so that the state, and with it the job, outlives the run.
void done_callbacks::submit_to(runtime_core& home) noexcept {
  owner_.add_visit();
  home.jobs.submit(*this);
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
  // The submission took a visit and a place in the registry. Without the visit this object may be
  // gone; without the place the runtime may be.
  owner.end_visit();
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
