// A million awaits in a row: an overflow of the stack unless each one is a tail call.

#include <magpie/magpie.hpp>

namespace {

magpie::task<long> one() { co_return 1; }

magpie::task<long> chain(long length) {
  long sum = 0;
  for (long i = 0; i < length; ++i) {
    sum += co_await one();
  }
  co_return sum;
}

}  // namespace

int main() {
  constexpr long length = 1'000'000;
  magpie::runtime runtime{{.workers = 1}};
  return runtime.block_on(chain(length)) == length ? 0 : 1;
}
