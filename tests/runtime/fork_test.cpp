#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <functional>
#include <magpie/errors.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/yield.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/eventually.hpp"
#include "support/tasks.hpp"
#include "support/worker_counts.hpp"

// A child of fork() has none of the workers: what it asks of a runtime is an error at once.

namespace {

using namespace std::chrono_literals;
using magpie::test::eventually;
using magpie::test::give;
using magpie::test::sleep_long;

constexpr int as_expected = 42;
constexpr int no_error = 43;
constexpr int too_slow = 44;

/// What the child process that runs `body` exits with.
int exit_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(20);  // a hang is a signal
    ::_exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Of a child: whether `call` throws as it should, within 100 ms.
int refuses(const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    call();
  } catch (const magpie::invalid_state& error) {
    const bool is_clear = std::string(error.what()).find("child of fork()") != std::string::npos;
    if (!is_clear) return no_error;
    return std::chrono::steady_clock::now() - begin < 100ms ? as_expected : too_slow;
  }
  return no_error;
}

/// What a child that does so exits with. A child may be held up, but not each of many.
int exit_of_refusal(const std::function<void()>& call) {
  int status = too_slow;
  EXPECT_TRUE(eventually([&] {
    status = exit_of_child([&] { return refuses(call); });
    return status != too_slow;
  })) << "it takes its time in each child";
  return status;
}

magpie::task<> compute(std::atomic<bool>& go_on) {
  while (go_on) co_await magpie::yield();
}

class fork_of_a_process : public magpie::test::each_worker_count {
 protected:
  // Workers that sleep, and others that are inside of the runtime at any moment.
  std::atomic<bool> go_on_{true};
  std::optional<magpie::runtime> runtime_{std::in_place,
                                          magpie::runtime_options{.workers = GetParam()}};
  magpie::task_handle<> sleeping_ = runtime_->spawn(sleep_long());
  magpie::task_handle<> busy_ = runtime_->spawn(compute(go_on_));

  void TearDown() override {
    go_on_ = false;
    EXPECT_EQ(runtime_->block_on(give(1)), 1) << "the parent goes on";
  }
};
MAGPIE_FOR_EACH_WORKER_COUNT(fork_of_a_process);

TEST_P(fork_of_a_process, has_clear_errors_in_the_child) {
  const std::vector<std::function<void()>> calls = {
      [&] { runtime_->spawn(give(1)); },
      [&] {
        std::vector<magpie::task<int>> several;
        several.push_back(give(1));
        runtime_->spawn_many(std::move(several));
      },
      [&] { runtime_->block_on(give(1)); },
      [&] { runtime_->shutdown(1s); },
      [&] { runtime_->request_shutdown(); },
      [&] { runtime_->poll_one(); },
      [&] { runtime_->run_for(1s); },
      [&] { static_cast<void>(runtime_->next_deadline()); },
      [&] { static_cast<void>(runtime_->statistics()); },
      [&] { static_cast<void>(runtime_->all_tasks()); },
      [&] { sleeping_.cancel(); },
      [&] { sleeping_.get(); },
      [&] { sleeping_.get(1s); },
      [&] { static_cast<void>(sleeping_.name()); },
      [&] { sleeping_.set_name("x"); },
      [&] { static_cast<void>(sleeping_.waiting_for()); },
      [&] { sleeping_.add_done_callback([](const magpie::any_task_handle&) {}); },
      [] { const magpie::runtime another; },
      [] { const magpie::runtime another({.workers = 0}); },
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(exit_of_refusal(calls[i]), as_expected) << "call " << i;
  }
}

TEST_P(fork_of_a_process, leaves_what_needs_no_runtime) {
  const auto ended = runtime_->spawn(give(3));
  ASSERT_TRUE(eventually([&] { return ended.done(); }));
  const auto look = [&] {
    return !sleeping_.done() && ended.result() == 3 && sleeping_.cancelling() == 0 ? as_expected
                                                                                   : no_error;
  };
  EXPECT_EQ(exit_of_child(look), as_expected);
}

TEST_P(fork_of_a_process, has_a_destructor_that_returns_in_the_child) {
  for (int i = 0; i < 20; ++i) {
    const auto destroy = [&] {
      runtime_.reset();
      return as_expected;
    };
    EXPECT_EQ(exit_of_child(destroy), as_expected);
  }
}

TEST_P(fork_of_a_process, and_exec_works_from_outside_and_from_a_task) {
  const auto exec = [] {
    ::execl("/bin/sh", "sh", "-c", "exit 42", static_cast<char*>(nullptr));
    return no_error;
  };
  EXPECT_EQ(exit_of_child(exec), as_expected);
  const auto from_a_task = [&]() -> magpie::task<int> { co_return exit_of_child(exec); };
  EXPECT_EQ(runtime_->block_on(from_a_task()), as_expected);
  const auto from_a_call = [&]() -> magpie::task<int> {
    co_return co_await magpie::run_blocking([&] { return exit_of_child(exec); });
  };
  EXPECT_EQ(runtime_->block_on(from_a_call()), as_expected);
}

TEST_P(fork_of_a_process, is_an_error_in_the_child_of_a_task) {
  const auto from_a_task = []() -> magpie::task<int> {
    co_return exit_of_refusal([] { magpie::spawn(give(1)); });
  };
  EXPECT_EQ(runtime_->block_on(from_a_task()), as_expected);
}

TEST(fork_without_a_runtime, leaves_the_child_free_to_make_one) {
  {
    const magpie::runtime gone({.workers = 2});
  }
  const auto use = [] {
    magpie::runtime own({.workers = 2});
    return own.block_on(give(as_expected));
  };
  EXPECT_EQ(exit_of_child(use), as_expected);
}

}  // namespace
