#pragma once

#include <exception>
#include <magpie/report.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace magpie {

/// Thrown when the state of a task or a runtime does not allow the call; what() says what was
/// expected.
class invalid_state : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Thrown where a time limit has passed first.
class timeout_error : public std::runtime_error {
 public:
  timeout_error() : std::runtime_error("magpie: the time limit has passed") {}
};

/// Thrown by a runtime with virtual time if nothing is ready, no timer is set, no other thread is
/// expected, and what the call waits for has not come: it never will. what() is the text of the
/// report.
class deadlock : public std::runtime_error {
 public:
  explicit deadlock(runtime_report found)
      : std::runtime_error("magpie: nothing is ready and no timer is set, while there are:\n" +
                           found.text()),
        report_(std::make_shared<const runtime_report>(std::move(found))) {}

  /// The tasks that are left, where they were spawned and what they wait for.
  [[nodiscard]] const runtime_report& report() const noexcept { return *report_; }

 private:
  std::shared_ptr<const runtime_report> report_;
};

/// What a cancelled task throws and its awaiters get. It is not derived from std::exception, so
/// that no handler for errors swallows it by accident. In asyncio: `asyncio.CancelledError`.
class cancelled final {
 public:
  cancelled() noexcept = default;
  explicit cancelled(std::string reason)
      : reason_(std::make_shared<const std::string>(std::move(reason))) {}
  /// Null: no reason.
  explicit cancelled(std::shared_ptr<const std::string> reason) noexcept
      : reason_(std::move(reason)) {}

  /// Returns the reason given to cancel(); empty if there was none.
  [[nodiscard]] const std::string& reason() const noexcept {
    static const std::string none;
    return reason_ ? *reason_ : none;
  }

 private:
  std::shared_ptr<const std::string> reason_;
};

namespace detail {

/// Returns whether the exception, which is not null, is `cancelled`. Needs no memory.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error) noexcept;

}  // namespace detail

}  // namespace magpie
