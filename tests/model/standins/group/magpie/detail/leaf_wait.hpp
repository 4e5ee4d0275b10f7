#pragma once

#include <magpie/detail/job.hpp>
#include <magpie/detail/task_coroutine.hpp>

#include "instrumented.hpp"

namespace magpie::detail {

struct wait_description {
  const char* what;
};
class wait_descriptions {
 public:
  void add(wait_description) noexcept {}
};

/// In place of a wait: what enters the source, without a scope.
class leaf_wait : public job {
 protected:
  struct operations {};
  template <class Wait>
  static constexpr operations operations_of{};

  explicit leaf_wait(const operations&) noexcept : job(nullptr) {}

  template <class EnterSource>
  [[nodiscard]] bool suspend(task_coroutine, EnterSource enter_source) {
    return enter_source();
  }
  void resume() noexcept {}
};

}  // namespace magpie::detail
