// A job that is done every so often. What happens when it takes longer than that is a choice.

#include <chrono>
#include <cstdio>
#include <functional>
#include <magpie/magpie.hpp>
#include <stdexcept>

using namespace std::chrono_literals;

namespace {

enum class overrun {
  skip,      // the moments that were missed are left out; the others stay where they were
  catch_up,  // what was missed is done at once, one after the other
  delay      // the next moment is a period after the end
};

/// Does the job at once and then every `period`, until the task is cancelled or the job throws.
magpie::task<> every(magpie::duration period, overrun policy, std::function<magpie::task<>()> job) {
  magpie::time_point next = magpie::now();
  for (;;) {
    co_await job();
    const magpie::time_point now = magpie::now();
    switch (policy) {
      case overrun::skip:
        do {
          next += period;
        } while (next < now);
        break;
      case overrun::catch_up:
        next += period;
        break;
      case overrun::delay:
        next = now + period;
        break;
    }
    co_await magpie::sleep_until(next);
  }
}

/// Runs a job of which the second takes too long, for a second.
magpie::task<> show(const char* name, overrun policy) {
  const magpie::time_point start = magpie::now();
  std::printf("%-9s", name);
  int runs = 0;
  const auto job = [&]() -> magpie::task<> {
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(magpie::now() - start);
    std::printf(" %d", static_cast<int>(at.count()));
    co_await magpie::sleep_for(++runs == 2 ? 350ms : 10ms);
  };
  try {
    co_await magpie::wait_for(every(100ms, policy, job), 1s - 1ns);
  } catch (const magpie::timeout_error&) {
    std::puts("");
  }
}

magpie::task<> show_all() {
  std::puts("every 100 ms, the second run takes 350:");
  co_await show("skip", overrun::skip);
  co_await show("catch up", overrun::catch_up);
  co_await show("delay", overrun::delay);

  // A job that fails ends its loop. Whoever started it decides what then: here it is tried again.
  int runs = 0;
  const auto failing = [&]() -> magpie::task<> {
    if (++runs % 3 == 0) throw std::runtime_error("disk full");
    co_return;
  };
  const auto loop = [&] { return every(100ms, overrun::skip, failing); };
  const auto tell = [&](const magpie::failed_attempt& failed) {
    std::printf("run %d has failed; %s\n", runs, failed.pause ? "goes on in a second" : "gives up");
  };
  try {
    co_await magpie::retry({.attempts = 3, .backoff = magpie::constant(1s), .on_retry = tell},
                           loop);
  } catch (const std::runtime_error& failure) {
    std::printf("the job has ended: %s\n", failure.what());
  }
}

}  // namespace

int main() {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  runtime.block_on(show_all());
}
