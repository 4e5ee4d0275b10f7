#include <magpie/magpie.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/program.hpp"

namespace {

using namespace std::chrono_literals;

/// Tasks that wait: by turns for the time, for one semaphore, and for each other. The last of those
/// await each other in a ring.
class waiting_tasks {
 public:
  waiting_tasks(magpie::runtime& runtime, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = "request " + std::to_string(i);
      all_.push_back(runtime.spawn(wait(i), {.name = name}));
    }
    runtime.run_until_idle();
  }

 private:
  magpie::task<> wait(std::size_t which) {
    switch (which % 3) {
      case 0:
        co_await magpie::sleep_for(1h);
        break;
      case 1:
        (co_await never_.acquire()).detach();
        break;
      default: {
        const auto next = all_[which + 3 < all_.size() ? which + 3 : 2];
        co_await next;
      }
    }
  }

  magpie::semaphore never_{0, {.name = "never"}};
  std::vector<magpie::task_handle<>> all_;
};

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "report/magpie");
  const std::int64_t count = bench::scaled(10'000);
  // Without workers: nothing changes during a report.
  magpie::runtime runtime({.workers = 0, .time = magpie::virtual_time});
  {
    const waiting_tasks all(runtime, static_cast<std::size_t>(count));
    program.measure(count, bench::warm_up::one_run, [&] {
      const std::string text = runtime.report().text();
      bench::check(text.find("cycle: ") != std::string::npos, "report");
    });
    const int status = program.run();
    static_cast<void>(runtime.shutdown(0s));
    return status;
  }
}
