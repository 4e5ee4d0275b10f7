#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace magpie {

/// Something was asked of a task or a runtime that its state does not allow; what() says what was
/// expected.
class invalid_state : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// What a cancelled task throws and its awaiters see. Not derived from std::exception, so that a
/// handler for errors does not swallow it by accident.
class cancelled {
 public:
  explicit cancelled(std::string reason = {}) : reason_(std::move(reason)) {}

  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  std::string reason_;
};

}  // namespace magpie
