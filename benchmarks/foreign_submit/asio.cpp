#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "support/foreign_submit.hpp"

int main(int argc, char** argv) {
  bench::program program(argc, argv, "foreign_submit/asio");
  boost::asio::thread_pool pool(program.workers());
  bench::measure_foreign_submit(program, [&pool] {
    return
        [&pool](bench::countdown& left) { boost::asio::post(pool, [&left] { left.one_ended(); }); };
  });
  return program.run();
}
