#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <magpie/detail/abort_scope.hpp>
#include <magpie/detail/as_task.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/gather.hpp>
#include <magpie/outcome.hpp>
#include <magpie/task.hpp>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace magpie::detail {

/// Errors in the order in which they came. Any thread may add one.
class error_list {
 public:
  error_list() noexcept = default;
  error_list(const error_list&) = delete;
  error_list& operator=(const error_list&) = delete;
  ~error_list() {
    for (entry* each = newest_.load(std::memory_order_relaxed); each != nullptr;) {
      delete std::exchange(each, each->previous);
    }
  }

  /// Throws std::bad_alloc.
  void add(std::exception_ptr error) {
    auto* const added = new entry{std::move(error), newest_.load(std::memory_order_relaxed)};
    while (!newest_.compare_exchange_weak(added->previous, added, std::memory_order_release,
                                          std::memory_order_relaxed)) {
    }
  }

  /// Moves the errors out, the oldest first. Called when no thread adds any more.
  [[nodiscard]] std::vector<std::exception_ptr> take() {
    std::vector<std::exception_ptr> errors;
    for (entry* each = newest_.load(std::memory_order_acquire); each != nullptr;
         each = each->previous) {
      errors.push_back(std::move(each->error));
    }
    return {errors.rbegin(), errors.rend()};
  }

 private:
  struct entry {
    std::exception_ptr error;
    entry* previous;
  };

  // Null, then the newest entry of a list that only grows. add() sets it by compare-exchange; its
  // release publishes the entry. take() acquires.
  std::atomic<entry*> newest_{nullptr};
};

/// What decides a contest: the first end of a contender, or the first value.
enum class decided_by { end, value };

/// Contenders: coroutines that run in one scope. One of them wins, and that cancels the others.
/// Lives in the frame of the coroutine that awaits them all.
template <class Result>
class contest {
 public:
  /// `contenders` matters to a contest that a value decides: after that many failures none wins.
  contest(decided_by what, std::size_t contenders) noexcept
      : decided_by_(what), contenders_(contenders) {}

  [[nodiscard]] abort_scope& scope() noexcept { return scope_; }

  /// Whether the contest is decided. No contender starts after that.
  [[nodiscard]] bool is_over() const noexcept { return scope_.is_aborted(); }

  /// Whether another contender may follow one that failed: the contest is not decided, and no
  /// cancel request has come from outside.
  [[nodiscard]] bool wants_more() const noexcept {
    return !is_over() && !scope_.was_asked_from_outside();
  }

  /// Called with the value that a contender gives, as it is stored. The first call wins.
  template <class Value>
  void won(Value&& value) {
    if (!claim()) return;
    try {
      result_.fill(std::forward<Value>(value));
    } catch (...) {
      error_ = std::current_exception();
    }
    end_all();
  }

  /// Called in the handler for what a contender has thrown. Throws std::bad_alloc.
  void failed() {
    if (decided_by_ == decided_by::end) {
      if (!claim()) return;
      error_ = std::current_exception();
      end_all();
    } else if (!is_claimed_.load(std::memory_order_relaxed)) {
      errors_.add(std::current_exception());
      if (failures_.fetch_add(1, std::memory_order_relaxed) + 1 == contenders_) end_all();
    }
  }

  /// Returns the result, when all contenders have ended. Rethrows the winner's error. Throws an
  /// exception_group when no contender has won.
  [[nodiscard]] auto& result() {
    if (error_) std::rethrow_exception(error_);
    if (!is_claimed_.load(std::memory_order_relaxed)) throw exception_group(errors_.take());
    return result_.get();
  }

 private:
  /// Cancels the contenders. After a cancel request from outside it does nothing: that was
  /// delivered to the contenders, and a second request would disturb their clean-up.
  void end_all() noexcept {
    if (!scope_.was_asked_from_outside()) scope_.abort();
  }
  [[nodiscard]] bool claim() noexcept {
    return !is_claimed_.exchange(true, std::memory_order_relaxed);
  }

  const decided_by decided_by_;
  const std::size_t contenders_;
  abort_scope scope_;
  // False, then true for good: the winner sets it. The winner alone writes result_ and error_. The
  // end of the join that runs the contenders publishes them, so the exchange orders nothing.
  std::atomic<bool> is_claimed_{false};
  std::atomic<std::size_t> failures_{0};  // calls of failed() before a win; orders nothing
  result_slot<typename stored_result<Result>::type> result_;
  std::exception_ptr error_;
  error_list errors_;
};

/// Runs the contenders, in the contest's scope.
template <class... Ts>
task<> gather_all(task<Ts>... runs) {
  co_await gather(std::move(runs)...);
}
template <class T>
task<> gather_all(std::vector<task<T>> runs) {
  co_await gather(std::move(runs));
}

/// Makes what is stored of what a contender gives: a pointer for a reference, else the value.
struct as_given {
  template <class U>
  [[nodiscard]] U&& operator()(U&& value) const noexcept
    requires(!std::is_lvalue_reference_v<U>)
  {
    return std::forward<U>(value);
  }
  template <class U>
  [[nodiscard]] U* operator()(U& place) const noexcept {
    return std::addressof(place);
  }
};

/// The same for a variant: the value as alternative number Index.
template <class Variant, std::size_t Index>
struct as_alternative {
  template <class U>
  [[nodiscard]] Variant operator()(U&& value) const {
    if constexpr (std::is_same_v<std::remove_cvref_t<U>, no_result>) {
      return Variant(std::in_place_index<Index>);
    } else {
      return Variant(std::in_place_index<Index>, std::forward<U>(value));
    }
  }
};

/// The result of a contest among tasks of these types: the common type, else a variant.
template <class T, class... Ts>
struct contest_result {
  static constexpr bool is_common = (std::is_same_v<T, Ts> && ...);
  using variant = std::variant<typename stored_value<T>::type, typename stored_value<Ts>::type...>;
  using type = std::conditional_t<is_common, T, variant>;

  template <std::size_t Index>
  using storing = std::conditional_t<is_common, as_given, as_alternative<variant, Index>>;
};

/// Runs one contender and reports its end. When the contest is decided, does not start it; but the
/// task of a handle runs already, and is cancelled where it is awaited.
template <class Result, class Contender, class Storing>
task<> contend(contest<Result>& among, Contender contender, Storing as_stored) {
  if (!is_handle<Contender> && among.is_over()) co_return;
  try {
    if constexpr (std::is_void_v<awaited_result<Contender>>) {
      co_await std::move(contender);
      among.won(as_stored(no_result()));
    } else {
      among.won(as_stored(co_await std::move(contender)));
    }
  } catch (...) {
    among.failed();
  }
}

/// Runs the task that `start(contest)` makes in the contest's scope, and gives the result. Throws
/// `cancelled` after a cancel request from outside; a result that was won by then is dropped.
template <class Result, class Start>
task<Result> run_contest(decided_by what, std::size_t contenders, Start start) {
  contest<Result> all(what, contenders);
  try {
    body_in_scope<void> running(all.scope(), start(all));
    co_await running;
  } catch (const cancelled&) {
    all.scope().rethrow_unless_to_blame();
  }
  if constexpr (std::is_void_v<Result>) {
    static_cast<void>(all.result());
  } else if constexpr (std::is_reference_v<Result>) {
    co_return *all.result();
  } else {
    co_return std::move(all.result());
  }
}

template <class T>
[[nodiscard]] bool is_valid(const task<T>& contender) noexcept {
  return static_cast<bool>(contender);
}
template <other_awaitable Contender>
[[nodiscard]] bool is_valid(const Contender& /*contender*/) noexcept {
  return true;
}

inline void check_contenders(bool all_valid) {
  if (!all_valid) {
    throw_invalid_state(
        "contenders, at least one, that have not been awaited, spawned or moved from");
  }
}

template <child... Contenders>
[[nodiscard]] auto run_contest_of(decided_by what, Contenders... contenders) {
  using outcome = contest_result<awaited_result<Contenders>...>;
  using result = typename outcome::type;
  auto start = [them = std::make_tuple(std::move(contenders)...)](contest<result>& all) mutable {
    return [&]<std::size_t... Indices>(std::index_sequence<Indices...>) {
      check_contenders((is_valid(std::get<Indices>(them)) && ...));
      return gather_all(contend(all, std::move(std::get<Indices>(them)),
                                typename outcome::template storing<Indices>())...);
    }(std::index_sequence_for<Contenders...>());
  };
  return run_contest<result>(what, sizeof...(Contenders), std::move(start));
}

template <class T>
[[nodiscard]] task<T> run_contest_of(decided_by what, std::vector<task<T>> contenders) {
  const std::size_t count = contenders.size();
  auto start = [them = std::move(contenders)](contest<T>& all) mutable {
    check_contenders(!them.empty());
    for (const task<T>& each : them) check_contenders(static_cast<bool>(each));
    std::vector<task<>> runs;
    runs.reserve(them.size());
    for (task<T>& each : them) runs.push_back(contend(all, std::move(each), as_given()));
    return gather_all(std::move(runs));
  };
  return run_contest<T>(what, count, std::move(start));
}

}  // namespace magpie::detail
