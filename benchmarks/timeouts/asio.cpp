#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>

#include "support/countdown.hpp"
#include "support/program.hpp"

namespace {

constexpr std::int64_t armed_at_once = 1000;

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "timeouts/asio");
  const std::int64_t count = bench::scaled(1'000'000);
  boost::asio::thread_pool pool(program.workers());
  return bench::measure(program, count, [&] {
    bench::countdown left(count);
    const auto cancelled = [&left](const boost::system::error_code& error) {
      bench::check(error == boost::asio::error::operation_aborted, "timeouts");
      left.one_ended();
    };
    std::deque<boost::asio::steady_timer> timers;
    for (std::int64_t i = 0; i < armed_at_once; ++i) timers.emplace_back(pool);
    boost::asio::post(pool, [&] {
      for (std::int64_t i = 0; i < count; ++i) {
        boost::asio::steady_timer& timer = timers[static_cast<std::size_t>(i % armed_at_once)];
        timer.cancel();
        timer.expires_after(std::chrono::seconds(1 + i % 60));
        timer.async_wait(cancelled);
      }
      for (boost::asio::steady_timer& timer : timers) timer.cancel();
    });
    left.wait();
  });
}
