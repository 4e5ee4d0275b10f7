// A pool of things that are expensive to make, say connections: made when they are needed, never
// more than three, handed on when they are given back, and replaced when they have broken.

#include <cstdio>
#include <magpie/magpie.hpp>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

class connection {
 public:
  explicit connection(int number) : number_(number) {}

  magpie::task<> query(magpie::duration lasts) {
    // Ended in the middle, nobody knows what the other side will send next.
    is_broken_ = true;
    co_await magpie::sleep_for(lasts);
    is_broken_ = false;
  }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  int number_;
  bool is_broken_ = false;
};

class connection_pool {
 public:
  /// Holds a connection, and gives it back when it is destroyed.
  class lease {
   public:
    lease(connection_pool& from, magpie::permit place, std::unique_ptr<connection> held)
        : pool_(&from), place_(std::move(place)), held_(std::move(held)) {}
    lease(lease&&) = default;
    lease& operator=(lease&&) = delete;
    ~lease() {
      if (held_ != nullptr && !held_->is_broken()) pool_->take_back(std::move(held_));
    }
    connection* operator->() const { return held_.get(); }

   private:
    connection_pool* pool_;
    magpie::permit place_;  // given back after the connection
    std::unique_ptr<connection> held_;
  };

  explicit connection_pool(std::size_t most) : places_(most) {}

  /// Waits for a place, first come, first served. If making the connection fails or is cancelled,
  /// the permit gives the place to the next.
  magpie::task<lease> acquire() {
    magpie::permit place = co_await places_.acquire();
    std::unique_ptr<connection> held = take_idle();
    if (held == nullptr) held = co_await connect();
    co_return lease(*this, std::move(place), std::move(held));
  }

 private:
  magpie::task<std::unique_ptr<connection>> connect() {
    co_await magpie::sleep_for(100ms);
    const std::lock_guard held(lock_);
    ++made_;
    std::printf("%s connection %d is made\n", made_ > 3 ? "  another" : "  new", made_);
    co_return std::make_unique<connection>(made_);
  }

  std::unique_ptr<connection> take_idle() {
    const std::lock_guard held(lock_);
    if (idle_.empty()) return nullptr;
    std::unique_ptr<connection> taken = std::move(idle_.back());
    idle_.pop_back();
    return taken;
  }

  void take_back(std::unique_ptr<connection> given) {
    const std::lock_guard held(lock_);
    idle_.push_back(std::move(given));
  }

  magpie::semaphore places_;
  std::mutex lock_;
  std::vector<std::unique_ptr<connection>> idle_;
  int made_ = 0;
};

magpie::task<> use(connection_pool& pool, int number, magpie::duration lasts) {
  const connection_pool::lease held = co_await pool.acquire();
  co_await held->query(lasts);
  std::printf("  task %d is done with connection %d\n", number, held->number());
}

magpie::task<> use_pool() {
  connection_pool pool(3);
  std::puts("five tasks, at most three connections:");
  co_await magpie::gather(use(pool, 1, 10ms), use(pool, 2, 30ms), use(pool, 3, 50ms),
                          use(pool, 4, 10ms), use(pool, 5, 10ms));

  std::puts("a query takes too long, and its connection is not used again:");
  try {
    co_await magpie::wait_for(use(pool, 6, 24h), 1s);
  } catch (const magpie::timeout_error&) {
    std::puts("  task 6 is out of time");
  }
  co_await magpie::gather(use(pool, 7, 10ms), use(pool, 8, 10ms), use(pool, 9, 10ms));

  std::puts("whoever stops waiting loses no connection:");
  const auto slow =
      magpie::spawn(magpie::gather(use(pool, 10, 1s), use(pool, 11, 1s), use(pool, 12, 1s)));
  co_await magpie::yield();
  try {
    co_await magpie::wait_for(use(pool, 13, 10ms), 10ms);
  } catch (const magpie::timeout_error&) {
    std::puts("  task 13 has not got one");
  }
  co_await slow;
  co_await use(pool, 14, 10ms);
}

}  // namespace

int main() {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  runtime.block_on(use_pool());
}
