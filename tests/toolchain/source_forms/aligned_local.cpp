// A local that wants a cache line of its own.
#include "toolchain/badly_placed.hpp"

namespace canary {

[[gnu::noinline]] badly_placed<nothing> body() {
  cache_line local;
  co_await std::suspend_always{};
  expect(on_a_cache_line(&local), "not aligned to 64 bytes");
}

}  // namespace canary

int main() {
  canary::body().finish();
  return canary::judge();
}
