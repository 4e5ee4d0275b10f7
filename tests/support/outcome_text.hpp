#pragma once

#include <exception>
#include <magpie/errors.hpp>
#include <magpie/task.hpp>
#include <magpie/timeout.hpp>
#include <string>
#include <utility>

namespace magpie::test {

/// What comes of what is awaited: "result", "timeout", "cancelled" with the reason, or what() of an
/// error.
template <class Awaitable>
task<std::string> outcome(Awaitable awaited) {
  try {
    co_await std::move(awaited);
  } catch (const timeout_error&) {
    co_return "timeout";
  } catch (const cancelled& stopped) {
    co_return "cancelled" + (stopped.reason().empty() ? "" : ": " + stopped.reason());
  } catch (const std::exception& error) {
    co_return error.what();
  }
  co_return "result";
}

/// The same for a lazy task, which wait_for() runs in the calling task.
template <class T, class Limit>
task<std::string> outcome_within(task<T> body, Limit limit) {
  const auto wait = [&body, limit]() -> task<> {
    co_await magpie::wait_for(std::move(body), limit);
  };
  co_return co_await outcome(wait());
}

}  // namespace magpie::test
