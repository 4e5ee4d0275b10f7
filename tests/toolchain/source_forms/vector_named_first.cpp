// The form to write instead: the vector has a name before the co_await.
#include <vector>

#include "toolchain/minimal_task.hpp"

namespace canary {

task<int> sum(std::vector<counted> values) {
  int total = 0;
  for (const counted& each : values) total += each.value();
  co_return total;
}

task<int> body() {
  std::vector<counted> values{counted(1), counted(2)};
  const int got = co_await sum(std::move(values));
  co_return got;
}

}  // namespace canary

int main() {
  canary::expect(canary::drive(canary::body()) == 3, "the value is wrong");
  return canary::judge();
}
