#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/scheduler.hpp>
#include <magpie/detail/worker.hpp>

namespace bench {

/// A place for one signal that one task gives and one other task takes.
class one_place_event {
 public:
  /// In a task. The last signal has been taken.
  void give() {
    void* seen = nullptr;
    if (state_.compare_exchange_strong(seen, &signal_, std::memory_order_acq_rel)) return;
    // The other task waits, and does nothing until it is resumed.
    state_.store(nullptr, std::memory_order_relaxed);
    auto& waiting = *static_cast<taker*>(seen);
    magpie::detail::this_worker("a task to give a signal").make_ready(waiting.resumption_);
  }

  /// Awaited, waits for a signal and takes it.
  [[nodiscard]] auto take() noexcept { return taker(*this); }

 private:
  class taker {
   public:
    explicit taker(one_place_event& event) noexcept : event_(event) {}
    taker(const taker&) = delete;
    taker& operator=(const taker&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] bool await_suspend(std::coroutine_handle<> suspended) {
      resumption_.prepare(suspended, magpie::detail::this_worker("a task to take a signal"));
      void* seen = nullptr;
      if (event_.state_.compare_exchange_strong(seen, this, std::memory_order_acq_rel)) return true;
      event_.state_.store(nullptr, std::memory_order_relaxed);
      return false;
    }
    void await_resume() const noexcept {}

   private:
    friend one_place_event;

    one_place_event& event_;
    magpie::detail::resumption resumption_;
  };

  char signal_ = 0;
  // null: no signal, nobody waits. &signal_: given, not taken. Else the taker that waits.
  // give and take both move it from null, by compare-exchange; whoever finds the other there puts
  // null back. Each of the two exchanges releases to the other side's acquire.
  std::atomic<void*> state_{nullptr};
};

/// An event that any number of tasks wait for, and that happens once.
class broadcast_event {
 public:
  /// Awaited by a task, before set().
  [[nodiscard]] auto wait() noexcept { return waiter(*this); }

  [[nodiscard]] std::int64_t waiting() const noexcept {
    return waiting_.load(std::memory_order_acquire);
  }

  /// Resumes all that wait. Any thread.
  void set() {
    for (waiter* next = first_.exchange(nullptr, std::memory_order_acquire); next != nullptr;) {
      waiter& each = *next;
      next = each.next_;
      each.home_->submit(each.resumption_);
    }
  }

 private:
  class waiter {
   public:
    explicit waiter(broadcast_event& event) noexcept : event_(event) {}
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) {
      magpie::detail::worker& here = magpie::detail::this_worker("a task to wait for an event");
      resumption_.prepare(suspended, here);
      home_ = &here.home();
      // The task may go on, and this object be gone, as soon as it is in the list.
      broadcast_event& event = event_;
      next_ = event.first_.load(std::memory_order_relaxed);
      while (!event.first_.compare_exchange_weak(next_, this, std::memory_order_release,
                                                 std::memory_order_relaxed)) {
      }
      event.waiting_.fetch_add(1, std::memory_order_release);
    }
    void await_resume() const noexcept {}

   private:
    friend broadcast_event;

    broadcast_event& event_;
    magpie::detail::scheduler* home_ = nullptr;
    magpie::detail::resumption resumption_;
    waiter* next_ = nullptr;
  };

  // The list of those that wait, newest first: pushed by compare-exchange(release), taken whole by
  // set()'s exchange(acquire).
  std::atomic<waiter*> first_{nullptr};
  // How many have been pushed: fetch_add(release), read with acquire by who calls set().
  std::atomic<std::int64_t> waiting_{0};
};

}  // namespace bench
