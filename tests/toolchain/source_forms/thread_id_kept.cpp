// The id of the thread, taken before a suspension and compared after it on another thread.
// https://github.com/llvm/llvm-project/issues/111257
#include <thread>

#include "toolchain/across_threads.hpp"

namespace canary {

task<> body() {
  const std::thread::id before = std::this_thread::get_id();
  co_await pause{};
  expect(before != std::this_thread::get_id(), "one id on two threads");
}

}  // namespace canary

int main() {
  canary::drive_across_threads(canary::body());
  return canary::judge();
}
