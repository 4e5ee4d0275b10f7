#include "tour.hpp"

namespace tour {

task<> retry_three_times() {
  int attempt = 0;
  const auto try_once = [&] {
    say("attempt " + std::to_string(++attempt));
    return work("slow", 10s);
  };
  const magpie::retry_options options{
      .attempts = 3, .timeout = 2s, .backoff = magpie::constant(1s)};
  try {
    say(co_await magpie::retry(options, try_once));
  } catch (const magpie::timeout_error&) {
    say("giving up");
  }
}

}  // namespace tour
