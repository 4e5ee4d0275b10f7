#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "support/idle.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "idle/asio");
  boost::asio::thread_pool pool(program.workers());
  return bench::measure_idle(program, [&pool] { boost::asio::post(pool, [] {}); });
}
