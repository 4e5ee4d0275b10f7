#pragma once

#include <span>

#include "toolchain/minimal_task.hpp"

namespace canary {

// One way of writing a coroutine. It is tried in a process of its own: `run` says through
// expect() what did not hold, and judge() adds what the ledger counted.
struct form {
  const char* name;
  void (*run)();
};

std::span<const form> condition_forms();
std::span<const form> expression_forms();
std::span<const form> lifetime_forms();
std::span<const form> start_forms();
std::span<const form> flow_forms();

inline task<counted> make(int value) {
  co_await pause{};
  co_return counted(value);
}

inline task<int> number(int value) {
  co_await pause{};
  co_return value;
}

inline task<bool> yes() {
  co_await pause{};
  co_return true;
}

// The `run` of a form that is a coroutine and returns a number.
template <auto Coroutine, int Expected = 1>
void returns() {
  const int got = drive(Coroutine());
  expect(got == Expected, "the value is wrong");
}

template <auto Coroutine, auto Argument>
void returns_one_for() {
  const int got = drive(Coroutine(Argument));
  expect(got == 1, "the value is wrong");
}

}  // namespace canary
