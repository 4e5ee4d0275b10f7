// The parking protocol under relacy. A park() here never ends by itself and most jobs wait for each
// other, so a job that is left behind while a worker sleeps is a deadlock, which relacy finds.

#include <array>
#include <cstddef>
#include <magpie/detail/fork_lane.hpp>

#include "relacy_sync.hpp"
#include "scheduler/idle.hpp"
#include "search.hpp"
#include "support/fork_lane.hpp"

namespace magpie::model {
namespace {

/// A lane of jobs that are all alike: how many one thread pushed, how many anybody took.
class counting_lane {
 public:
  void push() {
    pushed_.store(pushed_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  bool take() {
    int taken = taken_.load(std::memory_order_acquire);
    while (taken < pushed_.load(std::memory_order_acquire)) {
      if (taken_.compare_exchange_strong(taken, taken + 1, std::memory_order_acq_rel,
                                         std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  bool looks_empty() const {
    return taken_.load(std::memory_order_acquire) >= pushed_.load(std::memory_order_acquire);
  }

 private:
  atomic<int> pushed_{0};
  atomic<int> taken_{0};
};

/// The first threads are workers; they look for jobs as worker_thread does, but without the rounds
/// of search that only take time. The others are Derived's.
template <class Derived, unsigned workers, unsigned others>
class idle_program : public program {
 public:
  static constexpr unsigned threads = workers + others;

  void thread(unsigned index) final {
    auto& self = static_cast<Derived&>(*this);
    if (index >= workers) {
      self.other(index - workers);
    } else {
      while (next(index)) self.run_job(index);
    }
  }

  void after() final {
    RL_ASSERT(idle_.word().load() == 0);
    static_cast<Derived&>(*this).check();
  }

 protected:
  /// As the pool does it.
  void stop() {
    stopping_.store(true, std::memory_order_release);
    idle_.stop();
  }

  detail::basic_idle<parker, relacy_sync> idle_{workers};

 private:
  bool next(unsigned worker) {
    auto& self = static_cast<Derived&>(*this);
    if (self.take(worker)) return true;
    const auto has_work = [&self] { return self.has_work(); };
    idle_.start_search();
    for (;;) {
      const bool found = self.take(worker);
      const bool stopping = !found && stopping_.load(std::memory_order_acquire);
      if (found || (stopping && !has_work())) {
        idle_.end_search(has_work);
        return found;
      }
      if (stopping) let_time_pass();
      idle_.park(worker, has_work);
    }
  }

  atomic<bool> stopping_{false};
};

/// Each producer, a thread of its own, pushes into a lane of its own; the workers serve all lanes.
template <class Derived, unsigned workers, unsigned producers, unsigned others = 0>
class producing_program : public idle_program<Derived, workers, producers + others> {
 public:
  bool take(unsigned) {
    for (counting_lane& each : lanes_) {
      if (each.take()) return true;
    }
    return false;
  }

  bool has_work() const {
    for (const counting_lane& each : lanes_) {
      if (!each.looks_empty()) return true;
    }
    return false;
  }

 protected:
  void produce(unsigned producer, int jobs) {
    for (int i = 0; i < jobs; ++i) {
      lanes_[producer].push();
      this->idle_.notify();
    }
  }

 private:
  std::array<counting_lane, producers> lanes_;
};

/// At least as many jobs as workers, and none ends before there is one on every worker: so each
/// worker must wake, whatever the others do. Producer 0 stops the pool when all jobs have ended.
template <unsigned workers, unsigned producers>
class rendezvous : public producing_program<rendezvous<workers, producers>, workers, producers> {
  static constexpr int jobs_each = producers >= workers ? 1 : workers / producers;
  static constexpr int jobs = jobs_each * producers;

 public:
  void other(unsigned producer) {
    this->produce(producer, jobs_each);
    if (producer != 0) return;
    all_ended_.wait();
    this->stop();
  }

  void run_job(unsigned) {
    if (++begun_ == workers) all_busy_.set();
    all_busy_.wait();
    if (++ended_ == jobs) all_ended_.set();
  }

  void check() const { RL_ASSERT(ended_ == jobs); }

 private:
  int begun_ = 0;
  int ended_ = 0;
  event all_busy_{event::reset::never};
  event all_ended_{event::reset::never};
};

/// The stop comes at any moment. Whoever works or sleeps must leave, after the jobs that the
/// stopping thread had published itself.
template <unsigned workers, unsigned producers>
class stop_at_any_time
    : public producing_program<stop_at_any_time<workers, producers>, workers, producers> {
 public:
  void other(unsigned producer) {
    this->produce(producer, 1);
    if (producer == 0) this->stop();
  }

  void run_job(unsigned) { ++ended_; }

  void check() {
    // What came after the workers had gone is still there.
    while (this->take(0)) ++ended_;
    RL_ASSERT(ended_ == producers);
  }

 private:
  unsigned ended_ = 0;
};

/// Nothing to do, ever.
template <unsigned workers>
class only_stop : public producing_program<only_stop<workers>, workers, 0, 1> {
 public:
  void other(unsigned) { this->stop(); }
  void run_job(unsigned) {}
  void check() {}
};

/// Jobs that wait on the worker which forked them: the lane is the real fork lane, whose bottom
/// sinks for a moment in each unfork, and which tells the parking worker whether it is empty.
template <unsigned workers>
class forking : public idle_program<forking<workers>, workers, 0> {
  struct item {};

 public:
  void other(unsigned) {}

  bool take(unsigned worker) {
    if (worker == 0) {
      if (root_taken_) return false;
      root_taken_ = true;
      return true;
    }
    item* taken = nullptr;
    while (true) {
      switch (lane_.steal(taken)) {
        case lane::steal_result::stolen:
          return true;
        case lane::steal_result::empty:
          return false;
        case lane::steal_result::hidden:
          lane_.ask();
          lane_.raid();
          let_time_pass();  // another thief's raid may be under way
          break;
        case lane::steal_result::lost_race:
          break;
      }
    }
  }

  bool has_work() const { return !lane_.looks_empty(); }

  void run_job(unsigned worker) {
    if (worker == 0) {
      root();
    } else if (++stolen_ == wanted_) {
      all_stolen_.set();
    }
  }

  void check() {}

 private:
  using lane = detail::basic_fork_lane<item, relacy_sync>;

  void fork(item& forked) {
    RL_ASSERT(test::push(lane_, forked));
    this->idle_.notify();
  }

  /// Forks two, takes the second back, and does not go on before thieves have had the rest.
  void root() {
    fork(items_[0]);
    fork(items_[1]);
    const bool kept = test::pop_if(lane_, items_[1]);
    wanted_ = kept ? 1 : 2;
    if (stolen_ == wanted_) all_stolen_.set();
    all_stolen_.wait();
    this->stop();
  }

  lane lane_{2};
  std::array<item, 2> items_;
  bool root_taken_ = false;
  int stolen_ = 0;
  int wanted_ = -1;
  event all_stolen_{event::reset::never};
};

}  // namespace
}  // namespace magpie::model

int main() {
  using namespace magpie::model;
  for (const search kind : {search::two_preemptions, search::random}) {
    run<only_stop<1>>("only_stop<1>", kind);
    run<only_stop<2>>("only_stop<2>", kind);
    run<rendezvous<1, 1>>("rendezvous<1, 1>", kind);
    run<rendezvous<1, 2>>("rendezvous<1, 2>", kind);
    run<rendezvous<2, 1>>("rendezvous<2, 1>", kind);
    run<stop_at_any_time<1, 1>>("stop_at_any_time<1, 1>", kind);
    run<stop_at_any_time<1, 2>>("stop_at_any_time<1, 2>", kind);
    run<stop_at_any_time<2, 1>>("stop_at_any_time<2, 1>", kind);
    run<forking<2>>("forking<2>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<rendezvous<2, 2>>("rendezvous<2, 2>", kind);
    run<stop_at_any_time<2, 2>>("stop_at_any_time<2, 2>", kind);
    run<forking<3>>("forking<3>", kind);
  }
  run<rendezvous<3, 1>>("rendezvous<3, 1>", search::random);
  run<rendezvous<2, 3>>("rendezvous<2, 3>", search::random);
  run<stop_at_any_time<2, 3>>("stop_at_any_time<2, 3>", search::random);
}
