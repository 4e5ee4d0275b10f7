#include <cstdio>
#include <magpie/magpie.hpp>
#include <string>

using namespace std::chrono_literals;

// Stands for a call to another service.
magpie::task<std::string> look_up(std::string what, magpie::duration delay) {
  co_await magpie::sleep_for(delay);
  co_return what;
}

// Three lookups at once. A cancel request, or a timeout around them, ends those that still run.
magpie::task<std::string> answer(magpie::duration slowest) {
  const auto [user, price, stock] = co_await magpie::gather(
      look_up("user 7", 10ms), look_up("12 EUR", 5ms), look_up("3 left", slowest));
  co_return user + ", " + price + ", " + stock;
}

magpie::task<> serve() {
  const std::string first = co_await magpie::wait_for(answer(20ms), 1h);
  std::printf("request 1: %s\n", first.c_str());
  try {
    co_await magpie::wait_for(answer(24h), 20ms);
  } catch (const magpie::timeout_error&) {
    std::puts("request 2: no answer in time");
  }
  const auto third = magpie::spawn(answer(24h), {.name = "request 3"});
  co_await magpie::sleep_for(10ms);
  third.cancel("the client has left");
  try {
    co_await third;
  } catch (const magpie::cancelled& stopped) {
    std::printf("%s: %s\n", third.name().c_str(), stopped.reason().c_str());
  }
}

int main() {
  magpie::runtime runtime;
  runtime.block_on(serve());
}
