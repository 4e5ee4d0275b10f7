#pragma once

// For code that has no Sync parameter, and is run as it stands: what it takes from the standard
// library to synchronise its threads is relacy's here. The names are changed by macro; so a model
// includes this before the code, and with it each standard header that the code wants. What of
// magpie the model replaces lies in standins/, which is searched before the layers.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "relacy_sync.hpp"

namespace magpie::model {

/// The number of the thread of the model that calls: 0, 1, ...
inline unsigned thread_index() { return static_cast<unsigned>(rl::ctx().threadx_->index_); }

/// An atomic that threads may spin on: who loads it again and again, and does nothing in between,
/// waits for others, and lets them go on. The first loads count as ordinary ones.
template <class T>
class watched_atomic : public atomic<T> {
  using location = std::source_location;

 public:
  using atomic<T>::atomic;

  [[nodiscard]] T load(std::memory_order order = std::memory_order_seq_cst,
                       location where = location::current()) const {
    loads_in_a_row& last = last_loads[thread_index()];
    const int so_far = last.of == this ? last.count : 0;
    if (so_far >= patience) let_time_pass(where);
    const T value = atomic<T>::load(order, where);
    last = {this, so_far + 1};
    return value;
  }

 private:
  static constexpr int patience = 3;
};

/// std::condition_variable's interface, as far as it is used. In a search with few preemptions
/// nobody wakes without a notification, so a lost one is a deadlock.
class condition_variable {
  using location = std::source_location;

 public:
  void notify_one(location where = location::current()) { impl_.notify_one(debug_info(where)); }
  void notify_all(location where = location::current()) { impl_.notify_all(debug_info(where)); }

  void wait(std::unique_lock<mutex>& lock, location where = location::current()) {
    lock_view held{*lock.mutex()};
    impl_.wait(held, debug_info(where));
  }

  /// Nobody has a deadline.
  template <class Deadline>
  std::cv_status wait_until(std::unique_lock<mutex>& lock, Deadline,
                            location where = location::current()) {
    wait(lock, where);
    return std::cv_status::no_timeout;
  }

 private:
  struct lock_view {
    mutex& held;
    void lock(rl::debug_info_param) { held.lock(); }
    void unlock(rl::debug_info_param) { held.unlock(); }
  };

  rl::condition_variable impl_;
};

// What the macros below make of these names here.
template <class T>
using modelled_atomic = watched_atomic<T>;
using modelled_mutex = mutex;
using modelled_condition_variable = condition_variable;

}  // namespace magpie::model

namespace std {

using magpie::model::modelled_atomic;
using magpie::model::modelled_condition_variable;
using magpie::model::modelled_mutex;

namespace modelled_this_thread {
inline void yield() { magpie::model::let_time_pass(); }
}  // namespace modelled_this_thread

}  // namespace std

#define atomic modelled_atomic
#define mutex modelled_mutex
#define condition_variable modelled_condition_variable
#define this_thread modelled_this_thread
