#include <gtest/gtest.h>

#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/each_runtime.hpp"
#include "support/eventually.hpp"
#include "support/reports.hpp"
#include "support/tasks.hpp"

namespace {

using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::reports;
using magpie::test::stop;
using magpie::test::wait_until_done;

class unobserved_failure : public magpie::test::reporting {};
MAGPIE_FOR_EACH_RUNTIME(unobserved_failure);

// Rule 9: a failure that nobody observes is reported once.

TEST_P(unobserved_failure, reports_a_failure_that_nobody_observed_once) {
  {
    const auto handle = runtime.spawn(fail("broken"), {.name = "lonely"});
    const auto copy = handle;
    wait_until_done(copy);
  }
  // The worker that ended the task may be the last to let go of it.
  std::vector<std::string> seen;
  EXPECT_TRUE(eventually([&] { return !(seen = reports::take()).empty(); }));
  EXPECT_EQ(seen, std::vector<std::string>{"lonely"});
}

TEST_P(unobserved_failure, reports_a_failure_when_there_is_no_handle_at_all) {
  runtime.spawn(fail("broken"), {.name = "orphan"});
  std::vector<std::string> seen;
  EXPECT_TRUE(eventually([&] { return !(seen = reports::take()).empty(); }));
  EXPECT_EQ(seen, std::vector<std::string>{"orphan"});
}

TEST_P(unobserved_failure, reports_nothing_that_was_observed_or_cancelled) {
  {
    const auto by_result = runtime.spawn(fail("a"));
    const auto by_exception = runtime.spawn(fail("b"));
    const auto by_cancel = runtime.spawn(stop("c"));
    wait_until_done(by_result);
    wait_until_done(by_exception);
    wait_until_done(by_cancel);
    EXPECT_THROW(static_cast<void>(by_result.result()), std::runtime_error);
    EXPECT_NE(by_exception.exception(), nullptr);
  }
  EXPECT_THROW(runtime.block_on(fail("d")), std::runtime_error);
  const auto await = []() -> magpie::task<> { co_await magpie::spawn(fail("e")); };
  EXPECT_THROW(runtime.block_on(await()), std::runtime_error);
}

}  // namespace
