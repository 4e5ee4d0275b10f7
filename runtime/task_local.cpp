#include <magpie/task_local.hpp>

#include <atomic>
#include <new>
#include <utility>

#include "runtime/local_values.hpp"

namespace magpie::detail {

namespace {

constinit thread_local const shared_locals* lent = nullptr;

task_state_base& this_task() {
  return task_of(this_scope(this_worker("a task-local to be set by a task on a runtime")));
}

struct change {
  shared_locals before;
  shared_locals after;
};

/// Sets one variable of the task. Other strands of the task may set variables at the same time.
change set_local(task_state_base& task, std::uint64_t key,
                 const std::shared_ptr<const void>& value) {
  for (;;) {
    shared_locals before = task.locals();
    shared_locals after = local_values::with(before, key, value);
    if (task.exchange_locals(before, after)) return {std::move(before), std::move(after)};
  }
}

}  // namespace

const std::shared_ptr<const void>& local_values::find(std::uint64_t key) const noexcept {
  static const std::shared_ptr<const void> none;
  for (const entry& each : entries_) {
    if (each.key == key) return each.value;
  }
  return none;
}

shared_locals local_values::with(const shared_locals& values, std::uint64_t key,
                                 std::shared_ptr<const void> value) {
  const auto changed = std::make_shared<local_values>();
  if (values != nullptr) {
    changed->entries_.reserve(values->entries_.size() + 1);
    for (const entry& each : values->entries_) {
      if (each.key != key) changed->entries_.push_back(each);
    }
  }
  if (value != nullptr) changed->entries_.push_back({key, std::move(value)});
  return changed;
}

shared_locals current_locals() noexcept {
  if (const worker* const here = worker::current()) {
    return here->context() != nullptr ? task_of(this_scope(*here)).locals() : nullptr;
  }
  return lent != nullptr ? *lent : nullptr;
}

lent_locals::lent_locals(const shared_locals& values) noexcept { lent = &values; }

lent_locals::~lent_locals() { lent = nullptr; }

task_local_base::task_local_base() noexcept
    : key_([] {
        static std::atomic<std::uint64_t> next{0};
        return next.fetch_add(1, std::memory_order_relaxed);
      }()) {}

std::shared_ptr<const void> task_local_base::find() const noexcept {
  const shared_locals values = current_locals();
  return values != nullptr ? values->find(key_) : nullptr;
}

void task_local_base::set(std::shared_ptr<const void> value) const {
  set_local(this_task(), key_, value);
}

scoped_local_base::scoped_local_base(const task_local_base& variable,
                                     std::shared_ptr<const void> value)
    : task_(this_task()), key_(variable.key_) {
  change made = set_local(task_, key_, value);
  before_ = std::move(made.before);
  since_ = std::move(made.after);
}

scoped_local_base::~scoped_local_base() {
  if (task_.exchange_locals(since_, before_)) return;
  try {
    set_local(task_, key_, before_ != nullptr ? before_->find(key_) : nullptr);
  } catch (const std::bad_alloc&) {
    while (!task_.exchange_locals(task_.locals(), before_)) {
    }
  }
}

}  // namespace magpie::detail
