// Fetches all pages that can be reached from one, each once. At most three fetches run at a time,
// each with a limit and two more attempts, and nobody knows beforehand how many there will be.

#include <cstdio>
#include <magpie/magpie.hpp>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct page {
  std::vector<std::string> links;
  magpie::duration delay;
  int failures = 0;  // of the first fetches
};

// Stands for the network.
class web {
 public:
  magpie::task<std::vector<std::string>> fetch(std::string name) {
    const auto found = pages_.find(name);
    if (found == pages_.end()) throw std::runtime_error("not found");
    co_await magpie::sleep_for(found->second.delay);
    const std::lock_guard held(lock_);
    if (found->second.failures-- > 0) throw std::runtime_error("busy");
    co_return found->second.links;
  }

 private:
  std::mutex lock_;
  std::map<std::string, page> pages_ = {
      {"/", {{"/a", "/b", "/c"}, 10ms}},
      {"/a", {{"/", "/d"}, 20ms}},
      {"/b", {{"/d", "/e"}, 20ms, 2}},
      {"/c", {{"/lost"}, 50ms}},
      {"/d", {{"/a"}, 30ms}},
      {"/e", {{}, 24h}},  // hangs
  };
};

class crawler {
 public:
  explicit crawler(web& crawled) : web_(crawled) {}

  magpie::task<> crawl(std::string first) {
    const auto begin = [&](magpie::task_group& group) -> magpie::task<> {
      visit(group, std::move(first));
      co_return;
    };
    co_await magpie::with_task_group(begin);
  }

  void print() const {
    for (const auto& [name, result] : results_) {
      std::printf("  %-5s %s\n", name.c_str(), result.c_str());
    }
  }

 private:
  /// Starts a task for a page that none has been started for.
  void visit(magpie::task_group& group, std::string name) {
    {
      // Held for a few instructions and never while a task waits: a std::mutex will do.
      const std::lock_guard held(lock_);
      if (!results_.emplace(name, "not reached").second) return;
    }
    group.spawn(follow(group, std::move(name)));
  }

  /// A page that cannot be fetched is a result. It does not end the crawl.
  magpie::task<> follow(magpie::task_group& group, std::string name) {
    std::string result;
    try {
      const std::vector<std::string> links = co_await fetch_patiently(name);
      for (const std::string& each : links) visit(group, each);
      result = std::to_string(links.size()) + " links";
    } catch (const std::exception& failure) {
      result = failure.what();
    }
    const std::lock_guard held(lock_);
    results_[name] = result;
  }

  /// The place among the three is given back during a pause.
  magpie::task<std::vector<std::string>> fetch_patiently(std::string name) {
    const auto fetch = [this, &name]() -> magpie::task<std::vector<std::string>> {
      const magpie::permit place = co_await places_.acquire();
      co_return co_await magpie::wait_for(web_.fetch(name), 100ms);
    };
    const magpie::retry_options options{.attempts = 3, .backoff = magpie::exponential(50ms)};
    co_return co_await magpie::retry(options, fetch);
  }

  web& web_;
  magpie::semaphore places_{3};
  std::mutex lock_;
  std::map<std::string, std::string> results_;
};

magpie::task<> crawl_twice() {
  web all;
  const auto start = magpie::now();
  crawler whole(all);
  co_await whole.crawl("/");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(magpie::now() - start);
  std::printf("the whole web, in %d ms:\n", static_cast<int>(took.count()));
  whole.print();

  // The limit cancels the group and with it every fetch. What has been found until then stays.
  web again;
  crawler part(again);
  try {
    co_await magpie::wait_for(part.crawl("/"), 45ms);
  } catch (const magpie::timeout_error&) {
    std::puts("as far as it gets in 45 ms:");
  }
  part.print();
}

}  // namespace

int main() {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  runtime.block_on(crawl_twice());
}
