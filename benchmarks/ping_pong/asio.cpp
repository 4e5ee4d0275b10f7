#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "support/countdown.hpp"
#include "support/program.hpp"

namespace {

/// Two players, each a handler: a hit posts the other one's.
class game {
 public:
  game(boost::asio::thread_pool& pool, std::int64_t hits) : pool_(pool), hits_left_(hits) {}

  void play() {
    post(0);
    end_.wait();
  }

  [[nodiscard]] bool is_right(std::int64_t each) const {
    return hits_[0] == each && hits_[1] == each;
  }

 private:
  void post(unsigned player) {
    boost::asio::post(pool_, [this, player] {
      ++hits_[player];
      if (--hits_left_ > 0) return post(1 - player);
      end_.one_ended();
    });
  }

  boost::asio::thread_pool& pool_;
  std::int64_t hits_left_;
  std::int64_t hits_[2] = {0, 0};
  bench::countdown end_{1};
};

}  // namespace

int main(int argc, char** argv) {
  bench::program program(argc, argv, "ping_pong/asio");
  const std::int64_t each = bench::scaled(500'000);
  boost::asio::thread_pool pool(program.workers());
  return bench::measure(program, 2 * each, [&] {
    game played(pool, 2 * each);
    played.play();
    bench::check(played.is_right(each), "ping_pong");
  });
}
