#include "stop.hpp"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace treesum {
namespace {

constexpr int go_on = 0;
constexpr int own_reason = -1;

// go_on, own_reason or a signal's number; moved once, away from go_on, by whoever asks first.
// Relaxed: it carries no data, and what a worker has finished is published file by file.
std::atomic<int> stop_cause{go_on};

// 0, or the first signal that came. Only handlers write it, all on the one thread that takes these
// signals; relaxed, because it carries no data.
std::atomic<int> first_signal{0};

static_assert(std::atomic<int>::is_always_lock_free, "the handlers below may not lock");

timer_t deadline_timer{};

void remember_stop(int signal) {
  const int saved_errno = errno;
  if (first_signal.exchange(signal, std::memory_order_relaxed) == 0) {
    int expected = go_on;
    stop_cause.compare_exchange_strong(expected, signal, std::memory_order_relaxed);
    itimerspec once{};
    once.it_value.tv_nsec = std::chrono::nanoseconds{stop_on_signals::time_to_stop}.count();
    timer_settime(deadline_timer, 0, &once, nullptr);
  }
  errno = saved_errno;
}

void leave_at_once(int) { _exit(128 + first_signal.load(std::memory_order_relaxed)); }

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGALRM);
  return set;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a blocked poll or write must return and see the request.
  sigaction(signal, &action, nullptr);
}

}  // namespace

bool stop_requested() noexcept { return stop_cause.load(std::memory_order_relaxed) != go_on; }

int stop_signal() noexcept {
  const int cause = stop_cause.load(std::memory_order_relaxed);
  return cause == own_reason ? 0 : cause;
}

void request_stop() noexcept {
  int expected = go_on;
  stop_cause.compare_exchange_strong(expected, own_reason, std::memory_order_relaxed);
}

stop_on_signals::stop_on_signals() {
  sigevent expiry{};
  expiry.sigev_notify = SIGEV_SIGNAL;
  expiry.sigev_signo = SIGALRM;
  if (timer_create(CLOCK_MONOTONIC, &expiry, &deadline_timer) != 0)
    throw std::system_error(errno, std::generic_category(), "timer_create");
  handle(SIGALRM, leave_at_once);
  handle(SIGINT, remember_stop);
  handle(SIGTERM, remember_stop);
  // A broken pipe is reported like every other failed write.
  handle(SIGPIPE, SIG_IGN);
  const sigset_t wanted = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &wanted, nullptr);
}

no_stop_signals_in_new_threads::no_stop_signals_in_new_threads() {
  const sigset_t blocked = stop_signals();
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

no_stop_signals_in_new_threads::~no_stop_signals_in_new_threads() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace treesum
