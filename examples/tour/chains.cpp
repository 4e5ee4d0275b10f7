#include <array>

#include "tour.hpp"

namespace tour {

namespace {

task<std::string> run_chain(std::string name) {
  for (const char* step : std::array{"fetched", "parsed", "stored"}) {
    co_await magpie::sleep_for(1s);
    name += std::string(", ") + step;
  }
  co_return name;
}

}  // namespace

task<> run_chains() {
  say(co_await run_chain("alone"));
  const auto [a, b, c] = co_await magpie::gather(run_chain("a"), run_chain("b"), run_chain("c"));
  say(a);
  say(b);
  say(c);
}

}  // namespace tour
