#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <magpie/parallel_invoke.hpp>
#include <magpie/task.hpp>
#include <thread>
#include <type_traits>

#include "support/eventually.hpp"

namespace magpie::test {

/// Calls `body`, a plain function, in a task.
template <class Body>
magpie::task<std::invoke_result_t<Body&>> in_task(Body body) {
  co_return body();
}

/// What becomes of the second of two closures while the first is called.
enum class second { stays, is_stolen, is_stolen_and_late };

/// parallel_invoke of two, the second of which goes that way. `stays` is only a likelihood.
template <class First, class Second>
auto invoke_so(second way, First first_closure, Second second_closure) {
  std::atomic<bool> begun{false};
  std::atomic<bool> first_is_over{false};
  struct at_the_end {
    std::atomic<bool>& flag;
    ~at_the_end() { flag = true; }
  };
  return magpie::parallel_invoke(
      [&]() -> decltype(auto) {
        const at_the_end says_so{first_is_over};
        if (way != second::stays) {
          EXPECT_TRUE(eventually([&] { return begun.load(); })) << "nobody took it";
        }
        return first_closure();
      },
      [&]() -> decltype(auto) {
        begun = true;
        if (way == second::is_stolen_and_late) {
          EXPECT_TRUE(eventually([&] { return first_is_over.load(); }));
          for (int i = 0; i < 100; ++i) std::this_thread::yield();  // until it waits, as a rule
        }
        return second_closure();
      });
}

/// A plain function that forks without end.
inline long fibonacci(int n) {
  if (n < 2) return n;
  const auto [a, b] =
      magpie::parallel_invoke([n] { return fibonacci(n - 1); }, [n] { return fibonacci(n - 2); });
  return a + b;
}

}  // namespace magpie::test
