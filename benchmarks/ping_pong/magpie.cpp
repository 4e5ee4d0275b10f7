#include <magpie/magpie.hpp>

#include "support/magpie_events.hpp"
#include "support/program.hpp"

namespace {

/// A number that two tasks hand to and fro.
struct ball {
  bench::one_place_event to_first;
  bench::one_place_event to_second;
  std::int64_t hits = 0;
};

magpie::task<> play(ball* shared, bench::one_place_event* mine, bench::one_place_event* other,
                    std::int64_t hits) {
  for (std::int64_t i = 0; i < hits; ++i) {
    co_await mine->take();
    ++shared->hits;
    other->give();
  }
}

magpie::task<std::int64_t> play_a_game(std::int64_t each) {
  ball shared;
  const auto first = magpie::spawn(play(&shared, &shared.to_first, &shared.to_second, each));
  const auto second = magpie::spawn(play(&shared, &shared.to_second, &shared.to_first, each));
  shared.to_first.give();
  co_await first;
  co_await second;
  co_return shared.hits;
}

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "ping_pong/magpie");
  const std::int64_t each = bench::scaled(500'000);
  magpie::runtime runtime({.workers = program.workers()});
  return bench::measure(program, 2 * each, [&] {
    bench::check(runtime.block_on(play_a_game(each)) == 2 * each, "ping_pong");
  });
}
