// The address of a thread_local, taken before a suspension and used after it on another thread.
#include "toolchain/across_threads.hpp"

namespace canary {

task<> body() {
  const int* before = &mark;
  co_await pause{};
  const int* after = &mark;
  expect(before != after, "one address on two threads");
}

}  // namespace canary

int main() {
  canary::drive_across_threads(canary::body());
  return canary::judge();
}
