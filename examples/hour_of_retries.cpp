// An hour of clients whose service fails and hangs now and then, in some milliseconds: the time is
// the runtime's own. `hour_of_retries 7` draws the order in which ready tasks run from the seed 7,
// and prints the same lines whenever it is run.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <magpie/magpie.hpp>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct service_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void say(const std::string& who, const std::string& what) {
  const auto time = magpie::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  std::printf("%02d:%02d %s %s\n", static_cast<int>(seconds / 60), static_cast<int>(seconds % 60),
              who.c_str(), what.c_str());
}

/// Answers half of the requests, fails others, and keeps the rest waiting for ever.
class service {
 public:
  explicit service(std::uint64_t seed) : random_(seed) {}

  magpie::task<int> ask(int question) {
    const std::uint64_t fate = random_() % 8;
    co_await magpie::sleep_for(std::chrono::milliseconds(random_() % 2000));
    if (fate < 2) throw service_error("service is busy");
    if (fate < 4) co_await magpie::sleep_until(magpie::time_point::max() - 1ns);
    co_return 2 * question;
  }

 private:
  std::mt19937_64 random_;
};

/// Asks until there is an answer, each time after twice the pause of before; five times at most.
magpie::task<int> ask_patiently(service& asked, std::string who, int question) {
  magpie::duration pause = 1s;
  for (int attempt = 1;; ++attempt) {
    std::string failure;
    try {
      const int answer = co_await magpie::wait_for(asked.ask(question), 5s);
      co_return answer;
    } catch (const service_error& error) {
      failure = error.what();
    } catch (const magpie::timeout_error&) {
      failure = "no answer";
    }
    say(who, failure);
    if (attempt == 5) throw service_error("gave up");
    co_await magpie::sleep_for(pause);
    pause *= 2;
  }
}

magpie::task<> client(service& asked, std::string who) {
  for (int question = 1; question <= 6; ++question) {
    try {
      const int answer = co_await ask_patiently(asked, who, question);
      say(who, "has the answer " + std::to_string(answer));
    } catch (const service_error& error) {
      say(who, error.what());
    }
    co_await magpie::sleep_for(10min);
  }
}

magpie::task<> hour(service& asked) {
  std::vector<magpie::task<>> clients;
  for (const char* name : {"magpie", "jay", "rook"}) clients.push_back(client(asked, name));
  co_await magpie::gather(std::move(clients));
  say("all", "are done");
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 7;
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time, .seed = seed}};
  service asked(seed);
  runtime.block_on(hour(asked));
}
