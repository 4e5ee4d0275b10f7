// A promise with a member that wants a cache line of its own.
#include "toolchain/badly_placed.hpp"

namespace canary {

[[gnu::noinline]] badly_placed<cache_line> body() { co_return; }

}  // namespace canary

int main() {
  const auto work = canary::body();
  canary::expect(canary::on_a_cache_line(&work.frame.promise().member), "not aligned to 64 bytes");
  work.finish();
  return canary::judge();
}
