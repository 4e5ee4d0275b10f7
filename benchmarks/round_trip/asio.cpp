#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "support/answer.hpp"
#include "support/round_trip.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "round_trip/asio");
  boost::asio::thread_pool pool(program.workers());
  return bench::measure_round_trip(program, [&pool](std::int64_t i) {
    bench::answer result;
    boost::asio::post(pool, [&result, i] { result.give(i); });
    return result.wait();
  });
}
