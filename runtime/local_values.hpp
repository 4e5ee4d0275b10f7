#pragma once

#include <cstdint>
#include <magpie/detail/shared_locals.hpp>
#include <memory>
#include <vector>

namespace magpie::detail {

/// The values of a task's task-locals. A list that a task has never changes, so that tasks can
/// share it: to set a value, a task takes another list.
class local_values {
 public:
  /// Returns the value; null for none.
  [[nodiscard]] const std::shared_ptr<const void>& find(std::uint64_t key) const noexcept;

  /// Returns a copy of `values`, which may be null, with `value` for `key`. A null `value` leaves
  /// the key without one. Throws std::bad_alloc.
  [[nodiscard]] static shared_locals with(const shared_locals& values, std::uint64_t key,
                                          std::shared_ptr<const void> value);

 private:
  struct entry {
    std::uint64_t key;
    std::shared_ptr<const void> value;
  };

  std::vector<entry> entries_;
};

/// Returns the values of the caller: of the task that calls, or of the task for which
/// run_blocking() calls. Null for none.
[[nodiscard]] shared_locals current_locals() noexcept;

/// While this object lives, the calling thread, which is no worker, has these values.
class lent_locals {
 public:
  explicit lent_locals(const shared_locals& values) noexcept;
  lent_locals(const lent_locals&) = delete;
  lent_locals& operator=(const lent_locals&) = delete;
  ~lent_locals();
};

}  // namespace magpie::detail
