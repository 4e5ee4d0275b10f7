// co_await of a call that takes a braced list of values with destructors.
#include <initializer_list>

#include "toolchain/minimal_task.hpp"

namespace canary {

task<int> sum(std::initializer_list<counted> values) {
  int total = 0;
  for (const counted& each : values) total += each.value();
  co_return total;
}

task<int> body() {
  const int got = co_await sum({counted(1), counted(2)});
  co_return got;
}

}  // namespace canary

int main() {
  canary::expect(canary::drive(canary::body()) == 3, "the value is wrong");
  return canary::judge();
}
