// Ends well on Ctrl-C: no new work is begun, what runs is told and cleans up, and what does not end
// in time is named.

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <latch>
#include <magpie/magpie.hpp>
#include <thread>

using namespace std::chrono_literals;

namespace {

/// Waits for SIGINT and SIGTERM on a thread of its own, where it may do anything: a handler may do
/// hardly anything. Must be there before the threads that must not get these signals.
class stop_signals {
 public:
  stop_signals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  /// Returns at the first of them.
  void wait() const {
    int signal = 0;
    sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_{};
};

magpie::task<> serve(int client, std::latch& all_are_served) {
  std::exception_ptr request;
  all_are_served.count_down();
  try {
    for (;;) co_await magpie::sleep_for(10ms);
  } catch (const magpie::cancelled&) {
    request = std::current_exception();
  }
  // The task may still wait while it cleans up. It has the time that shutdown() is given.
  co_await magpie::sleep_for(client * 50ms);
  std::printf("client %d has got its goodbye\n", client);
  std::rethrow_exception(request);
}

/// Pays no attention to the request.
magpie::task<> write_log(const std::atomic<bool>& may_end) {
  while (!may_end) {
    try {
      co_await magpie::sleep_for(10ms);
    } catch (const magpie::cancelled&) {
    }
  }
}

}  // namespace

int main() {
  const stop_signals signals;
  std::atomic<bool> may_end{false};
  std::latch all_are_served(3);
  magpie::runtime runtime{{.workers = 1}};
  for (int client = 1; client <= 3; ++client) {
    static_cast<void>(runtime.spawn(serve(client, all_are_served), {.name = "client"}));
  }
  static_cast<void>(runtime.spawn(write_log(may_end), {.name = "log"}));

  // Here somebody presses Ctrl-C. The program does it itself, so that it can be tested.
  std::thread user([&] {
    all_are_served.wait();
    kill(getpid(), SIGINT);
  });
  signals.wait();
  user.join();
  std::puts("stopping");

  const auto late = runtime.shutdown(2s);
  for (const auto& each : late.tasks) std::printf("still there: %s\n", each.name.c_str());
  may_end = true;  // a second Ctrl-C would end the process here
  std::puts(late.tasks.empty() ? "all have ended" : "not all have ended in time");
}
