#include "runtime/forked_process.hpp"

#include <pthread.h>

#include <magpie/task.hpp>
#include <new>

namespace magpie::detail {

void forked_process::add_runtime() {
  check();
  static const int failure = ::pthread_atfork(nullptr, nullptr, &note_fork);
  if (failure != 0) throw std::bad_alloc();
  runtimes_.fetch_add(1, std::memory_order_relaxed);
}

void forked_process::remove_runtime() noexcept {
  runtimes_.fetch_sub(1, std::memory_order_relaxed);
}

void forked_process::refuse() {
  throw_invalid_state("a runtime to be used in the process that made it, not in a child of fork()");
}

void forked_process::note_fork() noexcept {
  if (runtimes_.load(std::memory_order_relaxed) != 0) {
    is_child_.store(true, std::memory_order_relaxed);
  }
}

}  // namespace magpie::detail
