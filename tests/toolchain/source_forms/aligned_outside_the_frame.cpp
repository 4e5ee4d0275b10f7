// The form to write instead: the cache line lives on the heap.
#include <memory>

#include "toolchain/badly_placed.hpp"

namespace canary {

[[gnu::noinline]] badly_placed<nothing> body() {
  const auto boxed = std::make_unique<cache_line>();
  co_await std::suspend_always{};
  expect(on_a_cache_line(boxed.get()), "not aligned to 64 bytes");
}

}  // namespace canary

int main() {
  canary::body().finish();
  return canary::judge();
}
