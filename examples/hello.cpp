#include <cstdio>
#include <magpie/magpie.hpp>
#include <string>

using namespace std::chrono_literals;

magpie::task<std::string> greet(std::string name, magpie::duration delay) {
  co_await magpie::sleep_for(delay);
  co_return "hello, " + name;
}

magpie::task<> hello() {
  // Runs beside this task, on any worker.
  magpie::task_handle<std::string> world = magpie::spawn(greet("world", 20ms), {.name = "world"});
  // Two at once, within this task; both results in order.
  const auto [magpie, jay] = co_await magpie::gather(greet("magpie", 10ms), greet("jay", 5ms));
  std::printf("%s\n%s\n", magpie.c_str(), jay.c_str());
  const std::string& greeting = co_await world;
  std::printf("%s (said by task %s)\n", greeting.c_str(), world.name().c_str());
}

int main() {
  magpie::runtime runtime;
  runtime.block_on(hello());
}
