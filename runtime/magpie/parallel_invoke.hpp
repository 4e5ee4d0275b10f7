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

/// A closure that thieves may call, on the stack of whoever forked it.
template <class Function>
class invocation final : public forked_call {
 public:
  invocation(Function& called, void* context) noexcept
      : forked_call(&run_stolen), function_(called), context_(context) {}
  invocation(const invocation&) = delete;
  invocation& operator=(const invocation&) = delete;

  /// After unfork() did not give it back: waits for the thief, and takes what it left.
  [[gnu::noinline]] invoked<Function> wait(worker& here) {
    here.wait_for(*this);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if constexpr (std::is_reference_v<invoked<Function>>) {
      return static_cast<invoked<Function>>(*result_.get());
    } else {
      return std::move(result_.get());
    }
  }

  /// Sees to it that the closure has been called, when nobody cares for the result any more.
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
  // Without memory to offer it, one after the other.
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

/// Calls closures that do not suspend, in parallel when other workers have nothing to do, and gives
/// a tuple of their results in the order of the arguments, std::monostate for void: the cheapest
/// fork there is.
///
/// The first is called at once on this thread, while the others are offered to thieves; what nobody
/// took is called here, one after the other, in order. Nothing is allocated: what is offered lies
/// on the caller's stack. Calls nest without end, and the stack stays as deep as that of the
/// program that makes all calls one after the other: a call that waits for a thief helps that thief
/// and nobody else.
///
/// Returns when all closures have ended, also when some throw; then it throws, of the first closure
/// that threw in the order of the arguments, that exception. What a closure did happens before
/// parallel_invoke returns.
///
/// Only in a task on a worker, but there in plain functions too; elsewhere it throws invalid_state
/// before it calls anything. The closures must not wait for other tasks by blocking, nor may a
/// blocking lock be held across a call of parallel_invoke: ready tasks that have waited long run
/// in between, on this very stack.
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
