#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "support/countdown.hpp"
#include "support/numbered_tasks.hpp"

// Asio has no join: a countdown stands for it.
int main(int argc, char** argv) {
  bench::program program(argc, argv, "spawn_join/asio");
  const bench::numbered_tasks problem;
  boost::asio::thread_pool pool(program.workers());
  return bench::measure(program, problem.count, [&] {
    std::vector<std::int64_t> places = problem.places();
    bench::countdown left(problem.count);
    boost::asio::post(pool, [&] {
      std::int64_t i = 0;
      for (std::int64_t& place : places) {
        boost::asio::post(pool, [&place, &left, value = i++] {
          place = value;
          left.one_ended();
        });
      }
    });
    left.wait();
    problem.check_places(places);
  });
}
