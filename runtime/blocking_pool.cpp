#include "runtime/blocking_pool.hpp"

#include <pthread.h>

#include <iterator>
#include <magpie/detail/lock_guard.hpp>
#include <utility>

namespace magpie::detail {

blocking_pool::blocking_pool(std::size_t most, const char* name) : most_(most), name_(name) {
  CPU_ZERO(&processors_);
  static_cast<void>(::sched_getaffinity(0, sizeof(processors_), &processors_));
}

blocking_pool::~blocking_pool() {
  {
    const lock_guard lock(mutex_);
    stopping_ = true;
    arrival_.notify_all();
  }
  // Threads no longer move themselves to ended_ once stopping_ is set.
  for (std::thread& each : threads_) each.join();
  for (std::thread& each : ended_) each.join();
}

void blocking_pool::submit(pool_job& job) {
  std::list<std::thread> ended;
  {
    const lock_guard lock(mutex_);
    // Before the job is queued: a queued job may be run, and gone, at any moment.
    if (queued_ >= idle_ && threads_.size() < most_) start_thread();
    job.next = nullptr;
    job.previous = last_;
    job.is_queued = true;
    (first_ == nullptr ? first_ : last_->next) = &job;
    last_ = &job;
    ++queued_;
    ended.swap(ended_);
    arrival_.notify_one();
  }
  for (std::thread& each : ended) each.join();
}

std::size_t blocking_pool::job_count() {
  const lock_guard lock(mutex_);
  return busy();
}

std::size_t blocking_pool::wait_until_idle(time_point deadline) {
  const lock_guard lock(mutex_);
  while (busy() != 0) {
    if (deadline == time_point::max()) {
      idleness_.wait(mutex_);
    } else if (!idleness_.wait_until(mutex_, deadline)) {
      break;
    }
  }
  return busy();
}

bool blocking_pool::withdraw(pool_job& job) noexcept {
  const lock_guard lock(mutex_);
  if (!job.is_queued) return false;
  unlink(job);
  return true;
}

void blocking_pool::unlink(pool_job& queued) noexcept {
  (queued.previous == nullptr ? first_ : queued.previous->next) = queued.next;
  (queued.next == nullptr ? last_ : queued.next->previous) = queued.previous;
  queued.is_queued = false;
  --queued_;
}

void blocking_pool::start_thread() {
  const auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self] { loop(self); });
    ++idle_;
  } catch (...) {
    threads_.erase(self);
    if (threads_.empty()) throw;
  }
}

void blocking_pool::loop(std::list<std::thread>::iterator self) {
  ::pthread_setname_np(::pthread_self(), name_);
  static_cast<void>(::sched_setaffinity(0, sizeof(processors_), &processors_));
  while (pool_job* const job = next_job(self)) {
    job->run(*job);
    const lock_guard lock(mutex_);
    ++idle_;
    if (busy() == 0) idleness_.notify_all();
  }
}

pool_job* blocking_pool::next_job(std::list<std::thread>::iterator self) {
  const lock_guard lock(mutex_);
  while (first_ == nullptr && !stopping_ && arrival_.wait_for(mutex_, keep_alive)) {
  }
  --idle_;
  if (pool_job* const job = first_) {
    unlink(*job);
    return job;
  }
  if (!stopping_) ended_.splice(ended_.end(), threads_, self);
  return nullptr;
}

}  // namespace magpie::detail
