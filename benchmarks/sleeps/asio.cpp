#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>

#include "support/countdown.hpp"
#include "support/sleeps.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "sleeps/asio");
  bench::sleeps_problem problem;
  boost::asio::thread_pool pool(program.workers());
  return problem.measure(program, [&] {
    std::deque<boost::asio::steady_timer> timers;
    bench::countdown left(static_cast<std::int64_t>(problem.count()) + 1);
    boost::asio::post(pool, [&] {
      for (std::size_t i = 0; i < problem.count(); ++i) {
        const auto begin = bench::clock::now();
        auto& timer = timers.emplace_back(pool, begin + bench::sleeps_problem::length(i));
        timer.async_wait([&problem, &left, i, begin](const boost::system::error_code&) {
          problem.woke(i, begin);
          left.one_ended();
        });
      }
      left.one_ended();
    });
    left.wait();
  });
}
