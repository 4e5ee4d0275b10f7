// What one operation costs in instructions: run by instructions.py under callgrind, which counts
// between the two toggles, on the one worker alone. Sleeps run without a worker, under virtual
// time: no other thread takes part.

#include <valgrind/callgrind.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <magpie/magpie.hpp>
#include <string_view>
#include <utility>

namespace {

magpie::task<std::int64_t> number(std::int64_t value) { co_return value; }

magpie::task<std::int64_t> await_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t value = co_await number(i);
    sum += value;
  }
  co_return sum;
}

magpie::task<std::int64_t> fork_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto [first, second] = co_await magpie::gather(number(i), number(0));
    sum += first + second;
  }
  co_return sum;
}

magpie::task<std::int64_t> spawn_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t value = co_await magpie::spawn(number(i));
    sum += value;
  }
  co_return sum;
}

magpie::task<std::int64_t> yield_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    co_await magpie::yield();
    sum += i;
  }
  co_return sum;
}

magpie::task<std::int64_t> invoke_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    // Opaque, so that the forked calls are not computed in advance.
    const auto [first, second] = magpie::parallel_invoke(
        [&i] {
          std::int64_t value = i;
          asm volatile("" : "+r"(value));
          return value;
        },
        [] {
          std::int64_t value = 0;
          asm volatile("" : "+r"(value));
          return value;
        });
    sum += first + second;
  }
  co_return sum;
}

magpie::task<std::int64_t> limit_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t value =
        co_await magpie::wait_for(number(i), std::chrono::seconds(1 + i % 60));
    sum += value;
  }
  co_return sum;
}

magpie::task<std::int64_t> sleep_often(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    co_await magpie::sleep_for(std::chrono::seconds(1 + i % 60));
    sum += i;
  }
  co_return sum;
}

using operation = magpie::task<std::int64_t> (*)(std::int64_t count);

[[nodiscard]] operation find(std::string_view name) {
  constexpr std::pair<std::string_view, operation> operations[] = {
      {"await", &await_often},
      {"gather", &fork_often},
      {"spawn", &spawn_often},
      {"yield", &yield_often},
      {"parallel_invoke", &invoke_often},
      {"wait_for", &limit_often},
      {"sleep", &sleep_often},
  };
  for (const auto& [known, run] : operations) {
    if (known == name) return run;
  }
  return nullptr;
}

/// Once to warm pools and lanes up, once counted.
magpie::task<> measure(operation run, std::int64_t count) {
  static_cast<void>(co_await run(count));
  CALLGRIND_TOGGLE_COLLECT;
  const std::int64_t sum = co_await run(count);
  CALLGRIND_TOGGLE_COLLECT;
  if (sum != count * (count - 1) / 2) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const operation run = argc == 3 ? find(argv[1]) : nullptr;
  std::int64_t count = 0;
  if (argc == 3) {
    const std::string_view argument = argv[2];
    std::from_chars(argument.data(), argument.data() + argument.size(), count);
  }
  if (run == nullptr || count <= 0) {
    std::fprintf(stderr,
                 "usage: %s await|gather|spawn|yield|parallel_invoke|wait_for|sleep COUNT\n",
                 argv[0]);
    // As for a benchmark that is not applicable: an operation that this magpie does not have.
    return argc == 3 ? 77 : 2;
  }
  magpie::runtime_options options{.workers = 1};
  if (run == &sleep_often || run == &limit_often) {
    options = {.workers = 0, .time = magpie::virtual_time};
  }
  magpie::runtime runtime(options);
  runtime.block_on(measure(run, count));
}
