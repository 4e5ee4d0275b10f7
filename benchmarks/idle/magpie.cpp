#include <magpie/magpie.hpp>

#include "support/idle.hpp"

namespace {

magpie::task<> nothing() { co_return; }

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "idle/magpie");
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure_idle(program, [&runtime] { runtime.spawn(nothing()); });
}
