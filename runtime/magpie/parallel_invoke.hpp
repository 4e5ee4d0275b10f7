#pragma once

#include <exception>
#include <functional>
#include <magpie/detail/forked_call.hpp>
#include <magpie/detail/result_slot.hpp>
#include <magpie/detail/resumption.hpp>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace magpie {

namespace detail {

template <class Function>
using invoked = tuple_result<std::invoke_result_t<Function&>>;

template <class Function>
[[gnu::always_inline]] inline invoked<Function> invoke(Function& function) {
  if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
    std::invoke(function);
    return {};
  } else {
    return std::invoke(function);
  }
}

/// A closure that a thief may call. Lies on the stack of the thread that forked it.
template <class Function>
class invocation final : public forked_call {
 public:
  invocation(Function& called, void* context) noexcept
      : forked_call(&run_stolen), function_(called), context_(context) {}
  invocation(const invocation&) = delete;
  invocation& operator=(const invocation&) = delete;

  /// Called if unfork() did not give the closure back: waits for the thief, then takes the result
  /// or throws the failure.
  [[gnu::noinline]] invoked<Function> wait(worker& here) {
    here.wait_for(*this);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if constexpr (std::is_reference_v<invoked<Function>>) {
      return static_cast<invoked<Function>>(*result_.get());
    } else {
      return std::move(result_.get());
    }
  }

  /// Makes sure that the closure has been called, when its result is not needed any more.
  [[gnu::cold]] void finish(worker& here, fork_lane::pop_if_result unforked) noexcept {
    using enum fork_lane::pop_if_result;
    if (unforked == popped || (unforked == marked && here.settle_unfork())) {
      call();
    } else {
      here.wait_for(*this);
    }
  }

 private:
  static void run_stolen(job& self, worker& thief) noexcept {
    auto& stolen = static_cast<invocation&>(self);
    stolen.begin(thief);
    thief.set_context(stolen.context_);
    stolen.call();
    stolen.end();
  }

  void call() noexcept {
    try {
      if constexpr (std::is_reference_v<invoked<Function>>) {
        result_.fill(std::addressof(invoke(function_)));
      } else {
        result_.fill(invoke(function_));
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  Function& function_;
  void* const context_;
  std::exception_ptr failure_;
  result_slot<typename stored_result<invoked<Function>>::type> result_;
};

template <class First, class Second>
std::tuple<invoked<First>, invoked<Second>> invoke_both(worker& here, First& first,
                                                        Second& second) {
  using result = std::tuple<invoked<First>, invoked<Second>>;
  invocation<Second> offered(second, here.context());
  const auto forked = here.fork(offered);
  // Without memory for the fork, the two are called one after the other.
  const bool is_offered =
      forked == fork_lane::push_result::calm || here.settle_fork(offered, forked);
  const auto take_back = [&] {
    return is_offered ? here.unfork(offered) : fork_lane::pop_if_result::popped;
  };
  const auto call_first = [&]() -> invoked<First> {
    try {
      return invoke(first);
    } catch (...) {
      offered.finish(here, take_back());
      throw;
    }
  };
  invoked<First> first_result = call_first();
  const auto unforked = take_back();
  if (unforked == fork_lane::pop_if_result::popped ||
      (unforked == fork_lane::pop_if_result::marked && here.settle_unfork())) [[likely]] {
    return result(std::forward<invoked<First>>(first_result), invoke(second));
  }
  return result(std::forward<invoked<First>>(first_result), offered.wait(here));
}

template <class First, class... Others>
auto invoke_all(worker& here, First& first, Others&... others) {
  if constexpr (sizeof...(Others) == 0) {
    return std::tuple<invoked<First>>(invoke(first));
  } else if constexpr (sizeof...(Others) == 1) {
    return invoke_both(here, first, others...);
  } else {
    auto rest = [&] { return invoke_all(worker::here(), others...); };  // perhaps on a thief
    auto [first_result, others_results] = invoke_both(here, first, rest);
    return std::tuple_cat(std::tuple<invoked<First>>(std::forward<invoked<First>>(first_result)),
                          std::move(others_results));
  }
}

}  // namespace detail

/// Calls closures that do not suspend, in parallel if other workers have nothing to do. Returns a
/// tuple of their results in the order of the arguments, std::monostate for void. This is the
/// cheapest fork in magpie.
///
/// The calling thread calls the first closure at once and offers the others to thieves. It then
/// calls what no thief has taken, one after the other, in order. The call returns when all closures
/// have ended, also if some throw. Then it throws the exception of the first closure, in the order
/// of the arguments, that threw. Outside of a task on a worker it throws invalid_state before it
/// calls anything. It does not look for cancel requests.
///
/// It may be called in plain functions too, if a task on a worker calls them. What a closure did
/// happens before parallel_invoke returns. The closures must not block to wait for other tasks. No
/// blocking lock may be held across a call of parallel_invoke, because ready tasks that have waited
/// long run in between, on the same stack.
///
/// Allocates nothing: what is offered lies on the caller's stack. Calls nest without limit. The
/// stack stays as deep as that of the program that makes all calls one after the other, because a
/// call that waits for a thief helps that thief and no other worker.
///
///     auto [left, right] = magpie::parallel_invoke([&] { return sum(first_half); },
///                                                  [&] { return sum(second_half); });
template <class First, class... Others>
  requires(std::is_invocable_v<First&> && ... && std::is_invocable_v<Others&>)
auto parallel_invoke(First&& first, Others&&... others) {
  static_assert((!std::is_rvalue_reference_v<std::invoke_result_t<First&>> && ... &&
                 !std::is_rvalue_reference_v<std::invoke_result_t<Others&>>),
                "a closure returns a value, an lvalue reference or void");
  detail::worker& here =
      detail::this_worker("parallel_invoke() to be called by a task on a runtime");
  return detail::invoke_all(here, first, others...);
}

}  // namespace magpie
