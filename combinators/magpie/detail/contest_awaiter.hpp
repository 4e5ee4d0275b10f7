#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <magpie/detail/as_task.hpp>
#include <magpie/detail/contest.hpp>
#include <magpie/detail/delivery.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/task_coroutine.hpp>
#include <magpie/detail/task_ranges.hpp>
#include <magpie/errors.hpp>
#include <magpie/outcome.hpp>
#include <magpie/task.hpp>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// The awaiters of race() and first_success().

namespace magpie::detail {

/// The contenders' frames belong to `Contenders`, an array or a vector of them.
template <decided_by What, class Contenders>
class contest_awaiter_base {
 public:
  [[nodiscard]] bool await_ready() {
    static_cast<void>(this_worker("a contest of tasks to be awaited in a task on a runtime"));
    once_.begin();
    bool all_valid = !contenders_.empty();
    for (const contender& each : contenders_) all_valid = all_valid && each.frame();
    if (!all_valid) {
      throw_invalid_state(
          "contenders, at least one, that have not been awaited, spawned or moved from");
    }
    return false;
  }

  /// A cancelled parent starts no contenders.
  [[nodiscard]] std::coroutine_handle<> await_suspend(task_coroutine parent) {
    deliver_or_pass(this_scope(worker::here()), parent);
    return contest_.start(parent, contenders_);
  }

 protected:
  explicit contest_awaiter_base(Contenders contenders) noexcept
      : contenders_(std::move(contenders)) {}
  contest_awaiter_base(contest_awaiter_base&& other) noexcept
      : contenders_(other.release()), once_(std::move(other.once_)) {}
  ~contest_awaiter_base() {
    for (const contender& each : contenders_) {
      if (each.frame()) each.frame().destroy();
    }
  }

  /// For await_resume. Throws what the contest throws, and what the winner threw.
  template <class T>
  T take_result(std::size_t winner) {
    auto& ended = std::coroutine_handle<promise<T>>::from_address(frame(winner)).promise();
    ended.rethrow_failure();
    return ended.take_result();
  }
  [[nodiscard]] std::size_t winner() { return contest_.winner(); }

 private:
  [[nodiscard]] void* frame(std::size_t index) const noexcept {
    return contenders_[index].frame().address();
  }
  [[nodiscard]] Contenders release() noexcept {
    Contenders released(std::move(contenders_));
    for (contender& each : contenders_) each = contender(nullptr, contender::beginning::in_time);
    return released;
  }

  Contenders contenders_;
  contest contest_{What};
  single_await once_;
};

/// The result of a contest among tasks of these types: the common type, else a variant.
template <class T, class... Ts>
struct contest_result {
  static constexpr bool is_common = (std::is_same_v<T, Ts> && ...);
  using type = std::conditional_t<
      is_common, T,
      std::variant<typename stored_value<T>::type, typename stored_value<Ts>::type...>>;
};

template <decided_by What, class... Ts>
class contest_awaiter : public contest_awaiter_base<What, std::array<contender, sizeof...(Ts)>> {
  using base = contest_awaiter_base<What, std::array<contender, sizeof...(Ts)>>;
  using result = contest_result<Ts...>;

 public:
  explicit contest_awaiter(std::array<contender, sizeof...(Ts)> contenders) noexcept
      : base(contenders) {}

  typename result::type await_resume() {
    const std::size_t winner = this->winner();
    if constexpr (result::is_common) {
      return this->template take_result<typename result::type>(winner);
    } else {
      return take_alternative<0, Ts...>(winner);
    }
  }

 private:
  template <std::size_t Index, class T, class... Others>
  typename result::type take_alternative(std::size_t winner) {
    if constexpr (sizeof...(Others) != 0) {
      if (winner != Index) return take_alternative<Index + 1, Others...>(winner);
    }
    if constexpr (std::is_void_v<T>) {
      this->template take_result<T>(winner);
      return typename result::type(std::in_place_index<Index>);
    } else {
      return
          typename result::type(std::in_place_index<Index>, this->template take_result<T>(winner));
    }
  }
};

template <decided_by What, class T>
class contest_range_awaiter : public contest_awaiter_base<What, std::vector<contender>> {
 public:
  explicit contest_range_awaiter(std::vector<contender> contenders) noexcept
      : contest_awaiter_base<What, std::vector<contender>>(std::move(contenders)) {}

  T await_resume() { return this->template take_result<T>(this->winner()); }
};

/// What awaits a handle begins even if the contest is decided: the handle's task runs already.
template <class Contender>
inline constexpr auto beginning_of =
    is_handle<Contender> ? contender::beginning::always : contender::beginning::in_time;

template <decided_by What, child... Contenders>
[[nodiscard]] auto hold_contest(Contenders... contenders) {
  // Braces, so that the tasks are made in order.
  std::tuple tasks{as_task(std::move(contenders))...};
  return std::apply(
      [](auto&... lazy) {
        return contest_awaiter<What, awaited_result<Contenders>...>(
            {contender(task_access::release(std::move(lazy)), beginning_of<Contenders>)...});
      },
      tasks);
}

template <decided_by What, child_range Range>
[[nodiscard]] auto hold_contest_of(Range&& range) {
  using element = std::ranges::range_value_t<Range>;
  auto tasks = collect(as_tasks(std::forward<Range>(range)));
  std::vector<contender> contenders;
  contenders.reserve(tasks.size());
  for (auto& lazy : tasks) {
    contenders.emplace_back(task_access::release(std::move(lazy)), beginning_of<element>);
  }
  return contest_range_awaiter<What, awaited_result<element>>(std::move(contenders));
}

}  // namespace magpie::detail
