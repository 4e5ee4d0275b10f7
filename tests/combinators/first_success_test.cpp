#include <magpie/first_success.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/magpie.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/cancelling.hpp"
#include "support/eventually.hpp"
#include "support/tasks.hpp"

namespace {

using namespace std::chrono_literals;
using magpie::first_success;
using magpie::test::ends;
using magpie::test::eventually;
using magpie::test::fail;
using magpie::test::give;
using magpie::test::reason_of;
using magpie::test::sleep_and_give;

class first_success_of_tasks : public magpie::test::cancelling {};
MAGPIE_FOR_EACH_RUNTIME(first_success_of_tasks);

magpie::task<int> fail_after(magpie::duration delay, std::string what) {
  co_await magpie::sleep_for(delay);
  throw std::runtime_error(what);
}

TEST_P(first_success_of_tasks, gives_the_first_value_and_passes_over_errors) {
  const auto late = []() -> magpie::task<int> {
    co_await magpie::sleep_for(2ms);
    co_return 5;
  };
  const auto run = [&]() -> magpie::task<int> {
    const int value = co_await first_success(fail("at once"), late(), sleep_and_give(1),
                                             fail_after(1ms, "early"));
    co_await magpie::yield();
    EXPECT_EQ(magpie::current_task().cancelling(), 0U);
    co_return value;
  };
  EXPECT_EQ(runtime.block_on(run()), 5);
}

TEST_P(first_success_of_tasks, throws_all_errors_in_order_when_nobody_succeeds) {
  const auto run = [&]() -> magpie::task<std::string> {
    std::vector<magpie::task<int>> contenders;
    contenders.push_back(fail_after(30ms, "third"));
    contenders.push_back(fail_after(15ms, "second"));
    contenders.push_back(fail("first"));
    std::string what;
    try {
      co_await first_success(std::move(contenders));
    } catch (const magpie::exception_group& all) {
      EXPECT_EQ(all.exceptions().size(), 3U);
      what = all.what();
    }
    co_await magpie::yield();
    co_return what;
  };
  const std::string expected = "3 errors: first; second; third";
  std::string what;
  const auto comes_in_order = [&] { return (what = runtime.block_on(run())) == expected; };
  // By the clock two may fail in another order, when workers are held up, but not each time.
  EXPECT_TRUE(is_virtual() ? comes_in_order() : eventually(comes_in_order)) << what;
}

TEST_P(first_success_of_tasks, gives_a_variant_of_different_types) {
  const auto run = [&]() -> magpie::task<std::size_t> {
    const auto slow = []() -> magpie::task<std::string> {
      co_await magpie::sleep_for(1000h);
      co_return "";
    };
    const auto value = co_await first_success(slow(), fail("no"), give(3));
    co_return value.index();
  };
  EXPECT_EQ(runtime.block_on(run()), 2U);
}

TEST_P(first_success_of_tasks, that_is_cancelled_throws_cancelled) {
  const auto run = [&]() -> magpie::task<> {
    co_await first_success(sleep_and_give(1), fail("no"), sleep_and_give(2));
  };
  const auto handle = runtime.spawn(run());
  ASSERT_TRUE(nothing_runs());
  EXPECT_TRUE(handle.cancel("enough"));
  ASSERT_TRUE(ends(handle));
  EXPECT_EQ(reason_of(handle), "enough");
}

}  // namespace
