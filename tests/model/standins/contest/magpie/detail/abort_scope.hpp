#pragma once

#include <coroutine>
#include <magpie/detail/continuation.hpp>

#include "instrumented.hpp"

namespace magpie::detail {

/// Nobody makes a request to it.
class cancel_scope {};

/// In place of the scope of a contest: the mark alone.
class abort_scope {
 public:
  [[nodiscard]] continuation begin(std::coroutine_handle<> awaiting) noexcept {
    return continuation(awaiting);
  }
  void end() noexcept {}
  [[nodiscard]] cancel_scope& parent() noexcept { return parent_; }

  void abort() noexcept { is_aborted_.store(true, std::memory_order_release); }
  [[nodiscard]] bool is_aborted() const noexcept {
    return is_aborted_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool was_asked_from_outside() const noexcept { return false; }

 private:
  cancel_scope parent_;
  model::atomic<bool> is_aborted_{false};
};

}  // namespace magpie::detail
