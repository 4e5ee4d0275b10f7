#include <magpie/magpie.hpp>

#include "support/foreign_submit.hpp"

namespace {

magpie::task<> one(bench::countdown* left) {
  left->one_ended();
  co_return;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "foreign_submit/magpie");
  magpie::runtime runtime({.workers = program.workers()});
  bench::measure_foreign_submit(program, [&runtime] {
    return [&runtime](bench::countdown& left) { runtime.spawn(one(&left)); };
  });
  return program.run();
}
