#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "support/alternation.hpp"
#include "support/countdown.hpp"

namespace {

/// A handler that posts itself: what a yield is without coroutines.
class yielder {
 public:
  yielder(boost::asio::thread_pool& pool, unsigned self, std::int64_t yields,
          bench::alternation& turns, bench::countdown& left)
      : pool_(pool), self_(self), left_to_do_(yields), turns_(turns), left_(left) {}

  void post() {
    boost::asio::post(pool_, [this] {
      turns_.step(self_);
      if (--left_to_do_ > 0) return post();
      left_.one_ended();
    });
  }

 private:
  boost::asio::thread_pool& pool_;
  const unsigned self_;
  std::int64_t left_to_do_;
  bench::alternation& turns_;
  bench::countdown& left_;
};

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "yield/asio");
  boost::asio::thread_pool pool(program.workers());
  return bench::measure_yield(program, [&](std::int64_t each, bench::alternation& turns) {
    bench::countdown left(bench::alternation::tasks);
    yielder first(pool, 0, each, turns, left);
    yielder second(pool, 1, each, turns, left);
    // From a handler, so that neither has run when the other begins.
    boost::asio::post(pool, [&] {
      first.post();
      second.post();
    });
    left.wait();
  });
}
