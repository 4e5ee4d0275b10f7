#pragma once

#include <cstdint>
#include <magpie/detail/task_state.hpp>
#include <memory>
#include <type_traits>
#include <utility>

namespace magpie {

template <class T>
class scoped_local;

namespace detail {

/// A task_local without its type: which one it is among those that a task has values of.
class task_local_base {
 public:
  task_local_base(const task_local_base&) = delete;
  task_local_base& operator=(const task_local_base&) = delete;

 protected:
  task_local_base() noexcept;
  ~task_local_base() = default;

  /// Null for none.
  [[nodiscard]] std::shared_ptr<const void> find() const noexcept;
  void set(std::shared_ptr<const void> value) const;

 private:
  friend class scoped_local_base;

  // Never used again, unlike an address: what a variable that is gone has left behind in a task is
  // nobody's.
  const std::uint64_t key_;
};

/// A scoped_local without its type.
class scoped_local_base {
 public:
  scoped_local_base(const scoped_local_base&) = delete;
  scoped_local_base& operator=(const scoped_local_base&) = delete;

 protected:
  scoped_local_base(const task_local_base& variable, std::shared_ptr<const void> value);
  ~scoped_local_base();

 private:
  task_state_base& task_;
  const std::uint64_t key_;
  shared_locals before_;
  shared_locals since_;
};

}  // namespace detail

/// A variable of which each task has a value of its own: the name of a request, a deadline, a log's
/// context, which what a task calls and spawns can ask for without having been given it.
///
/// A task that is spawned by another begins with the values that the other has at that moment;
/// neither sees what the other sets later. A task spawned by a thread that runs no task has the
/// default value. All that runs in one task, what it awaits and the children of its gathers, has
/// the same values. Children that run on several workers at once may set and ask at the same time.
///
/// A value is destroyed when the last task that has it ends, before done() is true, or sets another
/// one. For tasks that have no values, this costs nothing.
/// In asyncio: `contextvars.ContextVar`.
template <class T>
class task_local : private detail::task_local_base {
 public:
  task_local() : task_local(T()) {}
  /// What get() gives where nothing was set.
  explicit task_local(T default_value) : default_(std::move(default_value)) {}

  /// A copy of the value that the calling task has, or in a function that run_blocking() calls, of
  /// the one that the task had at the call; anywhere else of the default.
  [[nodiscard]] T get() const {
    const std::shared_ptr<const void> found = find();
    return found == nullptr ? default_ : *static_cast<const T*>(found.get());
  }

  /// Throws invalid_state outside of a task, std::bad_alloc; then the value stays.
  void set(T value) const { task_local_base::set(std::make_shared<const T>(std::move(value))); }

 private:
  friend scoped_local<T>;

  const T default_;
};

/// Sets a task_local until the end of the block: then the task has the value again that it had
/// before, or none. For a coroutine's local variable.
///
/// To put the value back needs memory only when another variable was set meanwhile and stays so;
/// when there is none, all variables are put back as they were at the beginning.
/// In asyncio: `token = variable.set(value)` and `variable.reset(token)`.
template <class T>
class [[nodiscard]] scoped_local : private detail::scoped_local_base {
 public:
  /// Throws invalid_state outside of a task, std::bad_alloc; then the value stays.
  scoped_local(const task_local<T>& variable, std::type_identity_t<T> value)
      : scoped_local_base(variable, std::make_shared<const T>(std::move(value))) {}
};

}  // namespace magpie
