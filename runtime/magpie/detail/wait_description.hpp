#pragma once

#include <array>
#include <cstddef>
#include <magpie/clock.hpp>
#include <string>

namespace magpie::detail {

class task_state_base;

/// What one suspended coroutine waits for, as far as it can be said while a lock is held.
struct wait_description {
  const char* what;                      // of static storage duration
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

  /// The caller holds the lock of the scope of which the wait is a member.
  void add(const wait_description& found) noexcept;

  /// Returns true if no more can be added, so that the holder of a lock can stop looking.
  [[nodiscard]] bool is_full() const noexcept { return there_are_more_; }
  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }

  /// Sets the moment of the collection, by the clock of the task's runtime.
  void set_moment(time_point now) noexcept { now_ = now; }

  /// Returns the text. The caller holds no task's lock.
  [[nodiscard]] std::string text() const;

 private:
  static constexpr std::size_t most = 8;

  std::array<wait_description, most> found_{};
  std::size_t count_ = 0;
  bool there_are_more_ = false;
  time_point now_{};
};

}  // namespace magpie::detail
