#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <magpie/clock.hpp>
#include <memory>
#include <string>
#include <vector>

namespace magpie::detail {

class task_state_base;

/// What one suspended coroutine waits for, as far as it can be said while a lock is held.
struct wait_description {
  /// The number of waiters ahead where none can be.
  static constexpr auto no_line = static_cast<std::size_t>(-1);
  /// A greater number of them is not counted.
  static constexpr std::size_t most_ahead = 100;

  const char* what;                                   // of static storage duration
  std::shared_ptr<const std::string> name = nullptr;  // of what it waits for; null for none
  std::size_t ahead = no_line;                        // how many waiters come before this one
  time_point until = time_point::max();  // when the wait ends at the latest; max(): unknown
  task_state_base* awaited = nullptr;    // a task that the wait keeps alive; null for none
};

/// What the coroutines of one task wait for at one moment: collected under the task's lock without
/// allocating, put into words afterwards.
class wait_descriptions {
 public:
  wait_descriptions() noexcept = default;
  wait_descriptions(const wait_descriptions&) = delete;
  wait_descriptions& operator=(const wait_descriptions&) = delete;
  ~wait_descriptions();

  // The caller holds the lock of the scope of which the wait is a member.

  void add(const wait_description& found) noexcept;
  /// What is collected is within a timeout with this deadline; time_point::max() for none.
  void add_timeout(time_point deadline) noexcept { timeout_ = std::min(timeout_, deadline); }

  /// Returns true if no more can be added, so that the holder of a lock can stop looking.
  [[nodiscard]] bool is_full() const noexcept { return there_are_more_; }
  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }

  /// Sets the moment of the collection, by the clock of the task's runtime.
  void set_moment(time_point now) noexcept { now_ = now; }

  // The caller holds no task's lock.

  [[nodiscard]] std::string text() const;
  /// Returns the tasks that are awaited. They may be gone after this object.
  [[nodiscard]] std::vector<const task_state_base*> awaited_tasks() const;

 private:
  static constexpr std::size_t most = 8;

  std::array<wait_description, most> found_{};
  std::size_t count_ = 0;
  bool there_are_more_ = false;
  time_point timeout_ = time_point::max();  // the earliest
  time_point now_{};
};

}  // namespace magpie::detail
