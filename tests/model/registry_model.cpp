// The registry under relacy: it closes when nothing lives, never before, and never sleeps through
// the last removal; what is added from outside is either waited for or refused.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include "runtime/registry.cpp"
#include "search.hpp"

namespace magpie::model {
namespace {

/// The first threads are workers, each running what Derived::work() says. Then come threads from
/// outside. The last one closes the registry.
template <class Derived, unsigned workers, unsigned outside, bool refuses_first = false>
class registry_program : public program {
 public:
  static constexpr unsigned threads = workers + outside + 1;

  void thread(unsigned index) final {
    auto& self = static_cast<Derived&>(*this);
    if (index < workers) {
      self.work(index);
    } else if (index < workers + outside) {
      self.call(index - workers);
    } else {
      if (refuses_first) {
        registry_.refuse_outside();
        is_refusing_ = true;
      }
      RL_ASSERT(registry_.close_when_empty());
      RL_ASSERT(living_ == 0);
      is_closed_ = true;
    }
  }

  void after() final {
    RL_ASSERT(is_closed_ && living_ == 0);
    RL_ASSERT(!registry_.add_from_outside(1));
  }

 protected:
  // A task counts as living from before it is added until right before it is removed: the closing
  // thread must find none. A refused one does not count.

  void add(unsigned worker, std::size_t count = 1) {
    RL_ASSERT(!is_closed_);
    living_ += static_cast<int>(count);
    registry_.add(workers_[worker], count);
  }

  void remove(unsigned worker) {
    RL_ASSERT(!is_closed_);
    living_ -= 1;
    registry_.remove(workers_[worker]);
  }

  bool add_from_outside() {
    const bool was_closed = is_closed_ || is_refusing_;
    const bool is_added = registry_.add_from_outside(1);
    // Right after the addition: nothing has come in between.
    if (is_added) {
      RL_ASSERT(!is_closed_);
      living_ += 1;
    }
    RL_ASSERT(!was_closed || !is_added);
    return is_added;
  }

 private:
  std::array<detail::worker, 3> workers_{detail::worker{0, nullptr, detail::worker::manner::calm},
                                         detail::worker{1, nullptr, detail::worker::manner::calm},
                                         detail::worker{2, nullptr, detail::worker::manner::calm}};
  detail::registry registry_{workers};
  int living_ = 0;
  bool is_closed_ = false;
  bool is_refusing_ = false;
};

/// A job handed from one thread to another, as a lane does it.
class handover {
 public:
  void give() { is_there_.store(true, std::memory_order_release); }
  void await() {
    while (!is_there_.load(std::memory_order_acquire)) let_time_pass();
  }

 private:
  atomic<bool> is_there_{false};
};

/// Nothing was ever added, or what was added is being removed.
template <unsigned workers>
class last_removal : public registry_program<last_removal<workers>, workers, 0> {
 public:
  void before() final {
    for (unsigned i = 0; i < workers; ++i) RL_ASSERT(this->add_from_outside());
  }
  void work(unsigned worker) { this->remove(worker); }
  void call(unsigned) {}
};

/// A task spawns another, which ends on the other worker: its removal may be seen before its
/// addition is.
class ends_elsewhere : public registry_program<ends_elsewhere, 2, 0> {
 public:
  void before() final { RL_ASSERT(add_from_outside()); }
  void work(unsigned worker) {
    if (worker == 0) {
      add(0);
      handover_.give();
      remove(0);
    } else {
      handover_.await();
      remove(1);
    }
  }
  void call(unsigned) {}

 private:
  handover handover_;
};

/// The task that was spawned there spawns in its turn, two at once, which end on both.
class to_and_fro : public registry_program<to_and_fro, 2, 0> {
 public:
  void before() final { RL_ASSERT(add_from_outside()); }
  void work(unsigned worker) {
    if (worker == 0) {
      add(0);
      there_.give();
      remove(0);
      back_.await();
      remove(0);
    } else {
      there_.await();
      add(1, 2);
      remove(1);
      back_.give();
      remove(1);
    }
  }
  void call(unsigned) {}

 private:
  handover there_;
  handover back_;
};

/// Two tasks that spawn at the same time.
class both_spawn : public registry_program<both_spawn, 2, 0> {
 public:
  void before() final { RL_ASSERT(add_from_outside() && add_from_outside()); }
  void work(unsigned worker) {
    add(worker);
    remove(worker);
    remove(worker);
  }
  void call(unsigned) {}
};

/// Additions from outside against the close: what was added in time runs on a worker.
template <unsigned outside, bool refuses_first = false>
class from_outside
    : public registry_program<from_outside<outside, refuses_first>, 1, outside, refuses_first> {
 public:
  void work(unsigned) {
    for (int removed = 0;;) {
      const int seen = answers_.load(std::memory_order_acquire);
      if (seen % one_refused > removed) {
        this->remove(0);
        removed += 1;
      } else if (seen % one_refused + seen / one_refused == static_cast<int>(outside)) {
        return;
      } else {
        let_time_pass();
      }
    }
  }
  void call(unsigned) {
    answers_.fetch_add(this->add_from_outside() ? 1 : one_refused, std::memory_order_acq_rel);
  }

 private:
  static constexpr int one_refused = 16;

  atomic<int> answers_{0};
};

}  // namespace
}  // namespace magpie::model

int main() {
  using namespace magpie::model;
  for (const search kind : {search::two_preemptions, search::random}) {
    run<last_removal<1>>("last_removal<1>", kind);
    run<last_removal<2>>("last_removal<2>", kind);
    run<ends_elsewhere>("ends_elsewhere", kind);
    run<to_and_fro>("to_and_fro", kind);
    run<both_spawn>("both_spawn", kind);
    run<from_outside<1>>("from_outside<1>", kind);
    run<from_outside<2>>("from_outside<2>", kind);
    run<from_outside<1, true>>("from_outside<1>, refused first", kind);
    run<from_outside<2, true>>("from_outside<2>, refused first", kind);
  }
}
