// Asks several servers at once, and answers in time with what has come by then.

#include <cstddef>
#include <cstdio>
#include <exception>
#include <magpie/magpie.hpp>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct server {
  const char* name;
  magpie::duration delay;
  bool fails = false;
};

magpie::task<int> ask(server asked) {
  try {
    co_await magpie::sleep_for(asked.delay);
  } catch (const magpie::cancelled&) {
    std::printf("  %s is told to stop\n", asked.name);
    throw;
  }
  if (asked.fails) throw std::runtime_error("no such price");
  co_return static_cast<int>(asked.delay.count() / 1'000'000);
}

std::string why(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const magpie::timeout_error&) {
    return "too late";
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// Each server has the same limit, and none of them spoils the answers of the others. When the time
/// is over, those that are late are cancelled and have cleaned up before this goes on.
magpie::task<int> ask_all(std::vector<server> servers, magpie::duration limit) {
  const auto in_time = [limit](const server& each) { return magpie::wait_for(ask(each), limit); };
  const auto answers =
      co_await magpie::gather(magpie::return_exceptions, servers | std::views::transform(in_time));
  int count = 0;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (answers[i].has_value()) {
      std::printf("  %s says %d\n", servers[i].name, answers[i].value());
      ++count;
    } else {
      std::printf("  %s: %s\n", servers[i].name, why(answers[i].error()).c_str());
    }
  }
  co_return count;
}

magpie::task<> ask_twice() {
  const std::vector<server> servers{
      {"London", 80ms}, {"Paris", 20ms}, {"Rome", 30ms, true}, {"Oslo", 24h}};
  std::puts("within 100 ms:");
  const int answers = co_await ask_all(servers, 100ms);
  std::printf("%d answers\n", answers);

  // Whoever asked has lost interest: so have the servers, because they are part of the same task.
  std::puts("cancelled after 25 ms:");
  try {
    co_await magpie::wait_for(ask_all(servers, 100ms), 25ms);
  } catch (const magpie::timeout_error&) {
    std::puts("nobody waits any more");
  }
}

}  // namespace

int main() {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  runtime.block_on(ask_twice());
}
