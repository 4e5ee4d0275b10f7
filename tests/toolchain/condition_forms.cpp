// Forms of co_await as the condition of a statement.
#include "toolchain/forms.hpp"
#include "toolchain/minimal_task.hpp"

namespace canary {
namespace {

int turns = 0;

task<bool> fewer_than_three_turns() {
  co_await pause{};
  co_return turns < 3;
}

task<int> if_without_locals() {
  if (co_await yes()) co_return 1;
  co_return 2;
}

task<int> while_without_locals() {
  while (co_await fewer_than_three_turns()) ++turns;
  co_return turns;
}

task<int> for_without_locals() {
  for (; co_await fewer_than_three_turns(); ++turns) {
  }
  co_return turns;
}

task<int> do_without_locals() {
  do {
    ++turns;
  } while (co_await fewer_than_three_turns());
  co_return turns;
}

task<int> switch_without_locals() {
  switch (co_await number(2)) {
    case 2:
      co_return 1;
    default:
      co_return 2;
  }
}

task<int> if_with_parameters_only(int parameter) {
  if (co_await yes()) co_return parameter;
  co_return 2;
}

task<int> if_with_an_inner_local_only() {
  if (co_await yes()) {
    counted inner(1);
    co_return inner.value();
  }
  co_return 2;
}

task<int> if_with_a_later_local_only() {
  if (!co_await yes()) co_return 2;
  counted later(1);
  co_return later.value();
}

task<int> while_in_an_inner_block() {
  {
    while (co_await fewer_than_three_turns()) ++turns;
  }
  co_return turns;
}

task<int> if_with_a_local() {
  counted local(1);
  if (co_await yes()) co_return local.value();
  co_return 2;
}

task<int> while_with_a_local() {
  counted local(3);
  while (co_await fewer_than_three_turns()) ++turns;
  co_return local.value();
}

task<int> switch_with_a_local() {
  counted local(1);
  switch (co_await number(2)) {
    case 2:
      co_return local.value();
    default:
      co_return 2;
  }
}

task<int> if_named_first() {
  const bool answer = co_await yes();
  if (answer) co_return 1;
  co_return 2;
}

task<int> while_named_first() {
  for (;;) {
    const bool more = co_await fewer_than_three_turns();
    if (!more) break;
    ++turns;
  }
  co_return turns;
}

task<int> switch_named_first() {
  const int which = co_await number(2);
  switch (which) {
    case 2:
      co_return 1;
    default:
      co_return 2;
  }
}

task<int> short_circuit() {
  const bool both = co_await yes() && co_await fewer_than_three_turns();
  const bool either = co_await yes() || co_await fewer_than_three_turns();
  co_return both&& either ? 1 : 2;
}

constexpr form table[] = {
    {"if_without_locals", returns<if_without_locals>},
    {"while_without_locals", returns<while_without_locals, 3>},
    {"for_without_locals", returns<for_without_locals, 3>},
    {"do_without_locals", returns<do_without_locals, 3>},
    {"switch_without_locals", returns<switch_without_locals>},
    {"if_with_parameters_only", returns_one_for<if_with_parameters_only, 1>},
    {"if_with_an_inner_local_only", returns<if_with_an_inner_local_only>},
    {"if_with_a_later_local_only", returns<if_with_a_later_local_only>},
    {"while_in_an_inner_block", returns<while_in_an_inner_block, 3>},
    {"if_with_a_local", returns<if_with_a_local>},
    {"while_with_a_local", returns<while_with_a_local, 3>},
    {"switch_with_a_local", returns<switch_with_a_local>},
    {"if_named_first", returns<if_named_first>},
    {"while_named_first", returns<while_named_first, 3>},
    {"switch_named_first", returns<switch_named_first>},
    {"short_circuit", returns<short_circuit>},
};

}  // namespace

std::span<const form> condition_forms() { return table; }

}  // namespace canary
