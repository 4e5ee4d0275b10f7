// Forms about what lives how long: parameters, locals, exceptions, frames that end early.
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "toolchain/forms.hpp"
#include "toolchain/minimal_task.hpp"

namespace canary {
namespace {

task<int> sum_of(counted by_value, counted moved, const counted& by_reference,
                 std::unique_ptr<counted> owned) {
  co_await pause{};
  co_return by_value.value() + moved.value() + by_reference.value() + owned->value();
}

void moved_parameters() {
  counted copied(1);
  counted moved(2);
  counted referenced(3);
  const int got = drive(sum_of(copied, std::move(moved), referenced, std::make_unique<counted>(4)));
  expect(got == 10, "the value is wrong");
  expect(moved.value() == counted::moved_from, "the argument was not moved from");
}

task<std::unique_ptr<counted>> make_owned(int value) {
  co_await pause{};
  co_return std::make_unique<counted>(value);
}

task<> move_only_result_body() {
  std::unique_ptr<counted> owned = co_await make_owned(5);
  expect(owned->value() == 5, "the value is wrong");
}

void move_only_result() { drive(move_only_result_body()); }

task<int> failing(counted parameter) {
  counted local(1);
  co_await pause{};
  if (parameter.value() == 1) throw std::runtime_error("wanted");
  co_return local.value();
}

void exception_out_of_body() {
  try {
    drive(failing(counted(1)));
    expect(false, "nothing was thrown");
  } catch (const std::runtime_error& error) {
    expect(std::string(error.what()) == "wanted", "another exception arrived");
  }
}

task<int> passing_on() {
  counted local(1);
  const int got = co_await failing(counted(1));
  co_return got + local.value();
}

task<int> catching() {
  counted outside(1);
  try {
    counted inside(2);
    const int got = co_await passing_on();
    expect(false, "nothing was thrown");
    co_return got + inside.value();
  } catch (const std::runtime_error&) {
    expect(outside.value() == 1, "a local was lost");
  }
  co_await pause{};
  co_return outside.value();
}

void exception_through_awaits() { expect(drive(catching()) == 1, "the value is wrong"); }

// Not inlined: an inlined coroutine may have its frame in the caller's, and then no allocation
// is there to fail.
[[gnu::noinline]] task<int> never_allocated(counted parameter) { co_return parameter.value(); }

task<int> refused() {
  counted local(1);
  book.refuse_frames = true;
  try {
    const int got = co_await never_allocated(counted(2));
    expect(false, "nothing was thrown");
    co_return got;
  } catch (const std::bad_alloc&) {
    book.refuse_frames = false;
  }
  co_return local.value();
}

void bad_alloc_from_a_frame() { expect(drive(refused()) == 1, "the value is wrong"); }

task<int> waits_with_locals(counted parameter) {
  counted local(1);
  {
    counted inner(2);
    co_await pause{};
    expect(false, "resumed after it was destroyed");
  }
  co_return local.value() + parameter.value();
}

task<int> waits_inside(counted parameter) {
  counted local(1);
  co_return local.value() + co_await waits_with_locals(std::move(parameter));
}

void destroy_while_suspended() {
  task<int> work = waits_inside(counted(3));
  work.start();
  expect(!work.done(), "it did not suspend");
}

void destroy_before_start() { task<int> work = waits_inside(counted(3)); }

// A frame that is destroyed by the awaiter it is suspended in.
struct destroys_its_frame {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { waiter.destroy(); }
  void await_resume() const noexcept {}
};

struct detached {
  struct promise_type : counted_frame {
    detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::abort(); }
  };
};

detached ends_in_await_suspend(counted parameter) {
  counted local(parameter.value());
  co_await destroys_its_frame{};
  expect(false, "resumed after it was destroyed");
}

void destroy_inside_await_suspend() { ends_in_await_suspend(counted(1)); }

task<std::tuple<counted, counted>> make_two(int first) {
  co_await pause{};
  co_return std::tuple<counted, counted>(counted(first), counted(first + 1));
}

task<> structured_binding_body() {
  auto [first, second] = co_await make_two(1);
  co_await pause{};
  expect(first.value() == 1 && second.value() == 2, "the value is wrong");
}

void structured_binding() { drive(structured_binding_body()); }

task<> structured_binding_in_a_loop_body() {
  for (int turn = 0; turn < 3; ++turn) {
    auto [first, second] = co_await make_two(turn);
    co_await pause{};
    expect(first.value() == turn && second.value() == turn + 1, "the value is wrong");
  }
}

void structured_binding_in_a_loop() { drive(structured_binding_in_a_loop_body()); }

task<> structured_binding_named_first_body() {
  for (int turn = 0; turn < 3; ++turn) {
    auto both = co_await make_two(turn);
    auto& [first, second] = both;
    co_await pause{};
    expect(first.value() == turn && second.value() == turn + 1, "the value is wrong");
  }
}

void structured_binding_named_first() { drive(structured_binding_named_first_body()); }

task<std::vector<counted>> make_three() {
  std::vector<counted> three;
  for (int value = 1; value <= 3; ++value) three.emplace_back(value);
  co_await pause{};
  co_return three;
}

task<> range_for_over_await_body() {
  int sum = 0;
  for (const counted& each : co_await make_three()) {
    co_await pause{};
    sum += each.value();
  }
  expect(sum == 6, "the value is wrong");
}

void range_for_over_await() { drive(range_for_over_await_body()); }

task<> range_for_named_first_body() {
  int sum = 0;
  const std::vector<counted> three = co_await make_three();
  for (const counted& each : three) {
    co_await pause{};
    sum += each.value();
  }
  expect(sum == 6, "the value is wrong");
}

void range_for_named_first() { drive(range_for_named_first_body()); }

class object {
 public:
  explicit object(int value) : value_(value) {}
  task<int> read() {
    co_await pause{};
    co_return value_.value();
  }

 private:
  counted value_;
};

void member_coroutine() {
  object owner(7);
  expect(drive(owner.read()) == 7, "the value is wrong");
}

task<int> member_of_temporary_body() {
  const int got = co_await object(7).read();
  co_return got;
}

void member_coroutine_of_temporary() {
  expect(drive(member_of_temporary_body()) == 7, "the value is wrong");
}

constexpr form table[] = {
    {"moved_parameters", moved_parameters},
    {"move_only_result", move_only_result},
    {"exception_out_of_body", exception_out_of_body},
    {"exception_through_awaits", exception_through_awaits},
    {"bad_alloc_from_a_frame", bad_alloc_from_a_frame},
    {"destroy_while_suspended", destroy_while_suspended},
    {"destroy_before_start", destroy_before_start},
    {"destroy_inside_await_suspend", destroy_inside_await_suspend},
    {"structured_binding", structured_binding},
    {"structured_binding_in_a_loop", structured_binding_in_a_loop},
    {"structured_binding_named_first", structured_binding_named_first},
    {"range_for_over_await", range_for_over_await},
    {"range_for_named_first", range_for_named_first},
    {"member_coroutine", member_coroutine},
    {"member_coroutine_of_temporary", member_coroutine_of_temporary},
};

}  // namespace

std::span<const form> lifetime_forms() { return table; }

}  // namespace canary
