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

/// A task_local without its type: the key by which a task finds its value.
class task_local_base {
 public:
  task_local_base(const task_local_base&) = delete;
  task_local_base& operator=(const task_local_base&) = delete;

 protected:
  task_local_base() noexcept;
  ~task_local_base() = default;

  /// Returns null if there is no value.
  [[nodiscard]] std::shared_ptr<const void> find() const noexcept;
  void set(std::shared_ptr<const void> value) const;

 private:
  friend class scoped_local_base;

  // Unlike an address, never used again. So a value that a destroyed variable has left in a task
  // belongs to no other variable.
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

/// A variable of which each task has a value of its own: the name of a request, a deadline, the
/// context of a log. What a task calls and spawns can read the value without having been given it.
///
/// A task that another task spawns begins with that task's values at that moment. Neither sees what
/// the other sets later. A task spawned by a thread that runs no task has the default value. All
/// that runs in one task, what it awaits and the children of its gathers, has the same values.
/// Children that run on several workers at once may set and get at the same time.
///
/// A value is destroyed when the last task that has it ends, before done() is true, or sets another
/// one. Tasks without values pay nothing. In asyncio: `contextvars.ContextVar`.
template <class T>
class task_local : private detail::task_local_base {
 public:
  task_local() : task_local(T()) {}
  /// Sets what get() returns where no value was set.
  explicit task_local(T default_value) : default_(std::move(default_value)) {}

  /// Returns a copy of the calling task's value. In a function that run_blocking() calls, that is
  /// the value which the task had at the call; anywhere else, the default.
  [[nodiscard]] T get() const {
    const std::shared_ptr<const void> found = find();
    return found == nullptr ? default_ : *static_cast<const T*>(found.get());
  }

  /// Sets the calling task's value. Throws invalid_state outside of a task, and std::bad_alloc;
  /// then the old value stays.
  void set(T value) const { task_local_base::set(std::make_shared<const T>(std::move(value))); }

 private:
  friend scoped_local<T>;

  const T default_;
};

/// Sets a task_local until the end of the block. Then the task has the value again that it had
/// before, or none. For a local variable of a coroutine.
///
/// Putting the value back needs memory only if another variable was set in between and has stayed
/// set. Without that memory, all variables are put back as they were at the beginning. In asyncio:
/// `token = variable.set(value)` and `variable.reset(token)`.
template <class T>
class [[nodiscard]] scoped_local : private detail::scoped_local_base {
 public:
  /// Sets the value. Throws invalid_state outside of a task, and std::bad_alloc; then the old value
  /// stays.
  scoped_local(const task_local<T>& variable, std::type_identity_t<T> value)
      : scoped_local_base(variable, std::make_shared<const T>(std::move(value))) {}
};

}  // namespace magpie
