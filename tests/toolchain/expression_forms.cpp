// Forms of co_await inside a larger expression: closures, aggregates and other temporaries,
// ternaries.
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "toolchain/forms.hpp"
#include "toolchain/minimal_task.hpp"

namespace canary {
namespace {

// ---- closures -------------------------------------------------------------------------------

template <class Function>
task<int> call_value(Function function) {
  co_await pause{};
  co_return function();
}

template <class Function>
task<int> call_reference(const Function& function) {
  co_await pause{};
  co_return function();
}

task<int> call_function(std::function<int()> function) {
  co_await pause{};
  co_return function();
}

template <class Function>
class calling_awaiter {
 public:
  explicit calling_awaiter(Function function) : function_(std::move(function)) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { paused = waiter; }
  int await_resume() const { return function_(); }

 private:
  Function function_;
};

template <class Function>
calling_awaiter<Function> call_plainly(Function function) {
  return calling_awaiter<Function>(std::move(function));
}

task<int> closure_by_value() {
  counted local(1);
  const int got = co_await call_value([local] { return local.value(); });
  co_return got;
}

task<int> closure_by_reference() {
  counted local(1);
  const int got = co_await call_reference([local] { return local.value(); });
  co_return got;
}

task<int> closure_to_plain_function() {
  counted local(1);
  const int got = co_await call_plainly([local] { return local.value(); });
  co_return got;
}

task<int> closure_with_moved_capture() {
  counted local(1);
  const int got = co_await call_value([held = std::move(local)] { return held.value(); });
  co_return got;
}

task<int> closure_that_is_a_coroutine() {
  counted local(1);
  const int got = co_await [local]() -> task<int> {
    co_await pause{};
    co_return local.value();
  }();
  co_return got;
}

task<int> closure_converted_to_function() {
  counted local(1);
  const int got = co_await call_function([local] { return local.value(); });
  co_return got;
}

task<int> closure_coroutine_named_first() {
  counted local(1);
  const auto body = [local]() -> task<int> {
    co_await pause{};
    co_return local.value();
  };
  const int got = co_await body();
  co_return got;
}

task<int> closure_named_first() {
  counted local(1);
  auto function = [local] { return local.value(); };
  const int got = co_await call_value(std::move(function));
  co_return got;
}

task<int> closure_capturing_by_reference() {
  counted local(1);
  const int got = co_await call_value([&] { return local.value(); });
  co_return got;
}

task<int> closure_with_trivial_capture() {
  counted local(1);
  const int trivial = local.value();
  const int got = co_await call_value([trivial] { return trivial; });
  co_return got;
}

// ---- temporaries in a co_await expression ---------------------------------------------------

struct named_options {
  counted name;
  int weight = 0;
};

struct plain_options {
  std::string_view name = {};
  int weight = 0;
};

task<int> weigh(named_options options) {
  co_await pause{};
  co_return options.name.value() + options.weight;
}

task<int> weigh_reference(const named_options& options) {
  co_await pause{};
  co_return options.name.value() + options.weight;
}

task<int> weigh_plain(plain_options options) {
  co_await pause{};
  co_return static_cast<int>(options.name.size()) + options.weight;
}

task<int> weigh_value(counted value) {
  co_await pause{};
  co_return value.value();
}

task<int> weigh_value_reference(const counted& value) {
  co_await pause{};
  co_return value.value();
}

task<int> length(const std::string& text) {
  co_await pause{};
  co_return static_cast<int>(text.size());
}

struct aggregate_awaiter {
  counted held;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { paused = waiter; }
  int await_resume() const { return held.value(); }
};

class constructed_awaiter {
 public:
  explicit constructed_awaiter(counted held) : held_(std::move(held)) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { paused = waiter; }
  int await_resume() const { return held_.value(); }

 private:
  counted held_;
};

task<int> aggregate_argument() {
  const int got = co_await weigh(named_options{counted(1), 0});
  co_return got;
}

task<int> aggregate_braced_argument() {
  const int got = co_await weigh({.name = counted(1), .weight = 0});
  co_return got;
}

task<int> aggregate_reference_argument() {
  const int got = co_await weigh_reference(named_options{counted(1), 0});
  co_return got;
}

task<int> aggregate_awaiter_temporary() {
  const int got = co_await aggregate_awaiter{counted(1)};
  co_return got;
}

task<int> aggregate_named_first() {
  named_options options{counted(1), 0};
  const int got = co_await weigh(std::move(options));
  co_return got;
}

task<int> aggregate_with_trivial_members() {
  const int got = co_await weigh_plain({.name = "", .weight = 1});
  co_return got;
}

task<int> awaiter_with_a_constructor() {
  const int got = co_await constructed_awaiter(counted(1));
  co_return got;
}

task<int> class_argument() {
  const int got = co_await weigh_value(counted(1));
  co_return got;
}

task<int> class_reference_argument() {
  const int got = co_await weigh_value_reference(counted(1));
  co_return got;
}

task<int> weigh_default(counted value = counted(1)) {
  co_await pause{};
  co_return value.value();
}

task<int> default_argument() {
  const int got = co_await weigh_default();
  co_return got;
}

task<int> weigh_pair(std::pair<counted, int> both) {
  co_await pause{};
  co_return both.first.value() + both.second;
}

task<int> pair_argument() {
  const int got = co_await weigh_pair(std::pair<counted, int>(counted(1), 0));
  co_return got;
}

task<int> string_argument() {
  const int got = co_await length(std::string("x"));
  co_return got;
}

int difference(counted left, const counted& right) { return left.value() - right.value(); }

task<int> awaits_as_arguments() {
  const int got = difference(co_await make(3), co_await make(2));
  co_return got;
}

task<int> awaits_nested() {
  const int got = co_await weigh_value(co_await make(1));
  co_return got;
}

task<int> await_discarded() {
  co_await make(1);
  co_return 1;
}

task<int> await_in_a_constructor() {
  const auto got = std::make_unique<counted>(co_await number(1));
  co_return got->value();
}

task<int> result_bound_to_a_reference() {
  const counted& got = co_await make(1);
  co_await pause{};
  co_return got.value();
}

task<named_options> make_options() {
  co_await pause{};
  co_return named_options{counted(1), 0};
}

task<int> aggregate_returned() {
  const named_options got = co_await make_options();
  co_return got.name.value();
}

task<int> await_in_returned_value() { co_return co_await number(1); }

// ---- ternaries and aggregates of results ----------------------------------------------------

struct pair_of_counted {
  counted first;
  counted second;
};

task<int> ternary_taken(bool choose) {
  counted got = choose ? co_await make(1) : counted(1);
  co_return got.value();
}

task<int> ternary_of_two_awaits(bool choose) {
  counted got = choose ? co_await make(1) : co_await make(2);
  co_return got.value();
}

task<int> ternary_of_trivial_results(bool choose) {
  const int got = choose ? co_await number(1) : 2;
  co_return got;
}

task<int> ternary_as_if_else(bool choose) {
  counted got;
  if (choose) {
    got = co_await make(1);
  } else {
    got = counted(2);
  }
  co_return got.value();
}

task<int> aggregate_of_awaits() {
  pair_of_counted both{co_await make(3), co_await make(2)};
  co_return both.first.value() - both.second.value();
}

task<int> aggregate_of_named_results() {
  counted first = co_await make(3);
  counted second = co_await make(2);
  pair_of_counted both{std::move(first), std::move(second)};
  co_return both.first.value() - both.second.value();
}

constexpr form table[] = {
    {"closure_by_value", returns<closure_by_value>},
    {"closure_by_reference", returns<closure_by_reference>},
    {"closure_to_plain_function", returns<closure_to_plain_function>},
    {"closure_with_moved_capture", returns<closure_with_moved_capture>},
    {"closure_that_is_a_coroutine", returns<closure_that_is_a_coroutine>},
    {"closure_converted_to_function", returns<closure_converted_to_function>},
    {"closure_coroutine_named_first", returns<closure_coroutine_named_first>},
    {"closure_named_first", returns<closure_named_first>},
    {"closure_capturing_by_reference", returns<closure_capturing_by_reference>},
    {"closure_with_trivial_capture", returns<closure_with_trivial_capture>},
    {"aggregate_argument", returns<aggregate_argument>},
    {"aggregate_braced_argument", returns<aggregate_braced_argument>},
    {"aggregate_reference_argument", returns<aggregate_reference_argument>},
    {"aggregate_awaiter_temporary", returns<aggregate_awaiter_temporary>},
    {"aggregate_named_first", returns<aggregate_named_first>},
    {"aggregate_with_trivial_members", returns<aggregate_with_trivial_members>},
    {"awaiter_with_a_constructor", returns<awaiter_with_a_constructor>},
    {"class_argument", returns<class_argument>},
    {"class_reference_argument", returns<class_reference_argument>},
    {"default_argument", returns<default_argument>},
    {"pair_argument", returns<pair_argument>},
    {"string_argument", returns<string_argument>},
    {"awaits_as_arguments", returns<awaits_as_arguments>},
    {"awaits_nested", returns<awaits_nested>},
    {"await_discarded", returns<await_discarded>},
    {"await_in_a_constructor", returns<await_in_a_constructor>},
    {"result_bound_to_a_reference", returns<result_bound_to_a_reference>},
    {"aggregate_returned", returns<aggregate_returned>},
    {"await_in_returned_value", returns<await_in_returned_value>},
    {"ternary_await_taken", returns_one_for<ternary_taken, true>},
    {"ternary_await_not_taken", returns_one_for<ternary_taken, false>},
    {"ternary_of_two_awaits", returns_one_for<ternary_of_two_awaits, true>},
    {"ternary_of_trivial_results", returns_one_for<ternary_of_trivial_results, true>},
    {"ternary_as_if_else", returns_one_for<ternary_as_if_else, true>},
    {"aggregate_of_awaits", returns<aggregate_of_awaits>},
    {"aggregate_of_named_results", returns<aggregate_of_named_results>},
};

}  // namespace

std::span<const form> expression_forms() { return table; }

}  // namespace canary
