#pragma once

// relacy renames the allocation operators, some functions of the C library and the memory orders by
// macro, and would rename them in every header after it. So the standard headers come first and the
// macros go at once.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <source_location>
#include <thread>
#include <vector>

#pragma push_macro("assert")
#pragma push_macro("errno")
#include <relacy/relacy.hpp>
#pragma pop_macro("errno")
#pragma pop_macro("assert")
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

namespace magpie::model {

/// Where in the checked code an operation stands: relacy prints it in the history of a failure.
inline rl::debug_info debug_info(const std::source_location& where) {
  return {where.function_name(), where.file_name(), where.line()};
}

inline rl::memory_order to_relacy(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return rl::mo_relaxed;
    case std::memory_order_consume:
      return rl::mo_consume;
    case std::memory_order_acquire:
      return rl::mo_acquire;
    case std::memory_order_release:
      return rl::mo_release;
    case std::memory_order_acq_rel:
      return rl::mo_acq_rel;
    case std::memory_order_seq_cst:
      break;
  }
  return rl::mo_seq_cst;
}

/// How often each thread has loaded the atomic that its last operations were loads of.
struct loads_in_a_row {
  const void* of = nullptr;
  int count = 0;
};
inline std::array<loads_in_a_row, 8> last_loads;

/// std::atomic's interface, as far as the checked parts use it. Without an initial value it holds
/// none: to read it before the first store fails the model.
template <class T>
class atomic {
  using location = std::source_location;

 public:
  atomic() = default;
  atomic(T value) : value_(value) {}  // implicit, as std::atomic's is

  // Through a volatile, which outlives the compiler's care for stores into dying objects: an access
  // after this is a use after free.
  ~atomic() { alive_ = false; }

  [[nodiscard]] T load(std::memory_order order = std::memory_order_seq_cst,
                       location where = location::current()) const {
    return alive(where).load(to_relacy(order), debug_info(where));
  }

  void store(T value, std::memory_order order = std::memory_order_seq_cst,
             location where = location::current()) {
    alive(where).store(value, to_relacy(order), debug_info(where));
  }

  T fetch_add(T value, std::memory_order order = std::memory_order_seq_cst,
              location where = location::current()) {
    return alive(where).fetch_add(value, to_relacy(order), debug_info(where));
  }

  T fetch_sub(T value, std::memory_order order = std::memory_order_seq_cst,
              location where = location::current()) {
    return alive(where).fetch_sub(value, to_relacy(order), debug_info(where));
  }

  T fetch_or(T value, std::memory_order order = std::memory_order_seq_cst,
             location where = location::current()) {
    return alive(where).fetch_or(value, to_relacy(order), debug_info(where));
  }

  T exchange(T value, std::memory_order order = std::memory_order_seq_cst,
             location where = location::current()) {
    return alive(where).exchange(value, to_relacy(order), debug_info(where));
  }

  bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                             std::memory_order failure, location where = location::current()) {
    return compare_exchange_strong(expected, value, success, failure, where);
  }

  bool compare_exchange_strong(T& expected, T value, std::memory_order order,
                               location where = location::current()) {
    return compare_exchange_strong(expected, value, order,
                                   order == std::memory_order_acq_rel   ? std::memory_order_acquire
                                   : order == std::memory_order_release ? std::memory_order_relaxed
                                                                        : order,
                                   where);
  }

  bool compare_exchange_strong(T& expected, T value, std::memory_order success,
                               std::memory_order failure, location where = location::current()) {
    const rl::debug_info info = debug_info(where);
    return alive(where).compare_exchange_strong(expected, value, to_relacy(success), info,
                                                to_relacy(failure), info);
  }

 private:
  rl::atomic<T>& alive(const location& where) const {
    if (!alive_) {
      rl::ctx().fail_test("an atomic was used after its destruction",
                          rl::test_result_access_to_freed_memory, debug_info(where));
    }
    last_loads[static_cast<std::size_t>(rl::ctx().threadx_->index_)].of = nullptr;
    return value_;
  }

  mutable rl::atomic<T> value_;
  volatile bool alive_ = true;
};

class mutex {
  using location = std::source_location;

 public:
  void lock(location where = location::current()) { impl_.lock(debug_info(where)); }
  bool try_lock(location where = location::current()) { return impl_.try_lock(debug_info(where)); }
  void unlock(location where = location::current()) { impl_.unlock(debug_info(where)); }

 private:
  rl::mutex impl_;
};

/// An event of relacy: a thread that waits for it is blocked, and so found in a deadlock, until
/// somebody sets it.
class event {
  using location = std::source_location;

 public:
  enum class reset { never, by_waiter };

  explicit event(reset kind) { impl_.init(kind == reset::never, false, RL_INFO); }
  ~event() { impl_.deinit(RL_INFO); }
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  void set(location where = location::current()) { impl_.set(debug_info(where)); }

  void wait(location where = location::current()) { impl_.wait(false, false, debug_info(where)); }

 private:
  rl::generic_event impl_;
};

/// The Parker of basic_idle. Its park() is infinite, so that a wake-up lost is a deadlock. The
/// protocol owes each sleeper one permit only; a second one fails the model.
class parker {
 public:
  void park() {
    permit_.wait();
    permits_ -= 1;
  }

  void unpark() {
    permits_ += 1;
    RL_ASSERT(permits_ == 1);
    permit_.set();
  }

 private:
  event permit_{event::reset::by_waiter};
  int permits_ = 0;  // not part of the model: all its threads are fibers of one thread
};

/// The model's Sync. membarrier(2) interrupts other threads, for which relacy has no counterpart;
/// so both halves of the asymmetric fence are a full fence here.
struct relacy_sync {
  template <class T>
  using atomic = model::atomic<T>;
  using mutex = model::mutex;

  static bool is_symmetric() { return false; }
  static void light_fence(std::source_location where = std::source_location::current()) {
    rl::atomic_thread_fence(rl::mo_seq_cst, debug_info(where));
  }
  static void light_half(std::source_location where = std::source_location::current()) {
    light_fence(where);
  }
  static void heavy_fence(std::source_location where = std::source_location::current()) {
    light_fence(where);
  }
  static void pause(std::source_location where = std::source_location::current()) {
    rl::yield(1, debug_info(where));
  }
};

/// Data that its threads may only touch one after the other: a missing release or acquire between
/// them is a data race, and fails the model.
template <class T>
class plain {
  using location = std::source_location;

 public:
  void write(T value, location where = location::current()) {
    value_(debug_info(where)).store(value);
  }
  [[nodiscard]] T read(location where = location::current()) const {
    return value_(debug_info(where)).load();
  }

 private:
  rl::var<T> value_;
};

/// Nothing in the memory model keeps a load from seeing an old value for ever, though no machine
/// does that. After this call it sees no value any more that had a successor before it. For loops
/// that wait for a change and contain nothing that blocks.
inline void let_time_pass(std::source_location where = std::source_location::current()) {
  rl::yield(1, debug_info(where));
}

}  // namespace magpie::model
