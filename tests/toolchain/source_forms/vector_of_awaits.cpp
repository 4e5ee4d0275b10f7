// A vector built from a braced list of co_awaits.
#include <vector>

#include "toolchain/minimal_task.hpp"

namespace canary {

task<counted> make(int value) {
  co_await pause{};
  co_return counted(value);
}

task<int> body() {
  std::vector<counted> values{co_await make(1), co_await make(2)};
  co_return values[0].value() + values[1].value();
}

}  // namespace canary

int main() {
  canary::expect(canary::drive(canary::body()) == 3, "the value is wrong");
  return canary::judge();
}
