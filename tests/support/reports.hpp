#pragma once

#include <gtest/gtest.h>

#include <magpie/runtime.hpp>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/each_runtime.hpp"

namespace magpie::test {

/// The names of the tasks whose failures a runtime's hook was told.
class reports {
 public:
  static void add(const unobserved_failure& failure) noexcept {
    const std::lock_guard lock(mutex_);
    names_.emplace_back(failure.task_name);
  }

  [[nodiscard]] static std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(names_, {});
  }

 private:
  inline static std::mutex mutex_;
  inline static std::vector<std::string> names_;
};

/// A fixture whose runtime reports there. A report that the test has not taken is a failure.
class reporting : public each_runtime {
 private:
  struct nothing_left {
    ~nothing_left() { EXPECT_EQ(reports::take(), std::vector<std::string>{}); }
  };
  // Before the runtime, so that it looks when the runtime is gone and nothing more can come.
  nothing_left check_;

 protected:
  [[nodiscard]] static runtime_options settings() {
    runtime_options result = each_runtime::settings();
    result.on_unobserved = &reports::add;
    return result;
  }

  magpie::runtime runtime{settings()};

 private:
  const driving_meanwhile while_waiting_{runtime};
};

}  // namespace magpie::test
