// Forked calls under relacy: parallel_invoke's second closure, taken back by its forker or made by
// a thief. It is called once; the forker sees what it did, wakes up, and goes on; and the thief
// does not touch what lay on the forker's stack after that.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/parallel_invoke.hpp>

#include "scheduler/forked_call.cpp"
#include "search.hpp"

namespace magpie::model {
namespace {

using detail::worker;

/// How the forker waits between its looks.
enum class patience { looks, dozes };

class fork_program_base : public program {
 public:
  static inline fork_program_base* running = nullptr;

  virtual void wait_for(worker& here, detail::forked_call& call) = 0;
};

/// Thread 0 forks, as Derived::fork() says; the others steal until it is done.
template <class Derived, unsigned workers, patience how, worker::manner forks>
class fork_program : public fork_program_base {
 public:
  static constexpr unsigned threads = workers;

  fork_program() : workers_(make_workers(std::make_index_sequence<workers>{})) { running = this; }

  void before() final { detail::futex_sleepers::clear(); }

  void thread(unsigned index) final {
    worker& here = workers_[index];
    if (index == 0) {
      here.set_context(&context_);
      static_cast<Derived&>(*this).fork();
      RL_ASSERT(here.context() == &context_);
      is_over_ = true;
      return;
    }
    while (!is_over_) {
      detail::job* const item = steal(here);
      if (item == nullptr) {
        let_time_pass();
        continue;
      }
      item->run(*item, here);
      RL_ASSERT(here.context() == &context_);
    }
  }

  void after() final {
    RL_ASSERT(is_over_);
    for (worker& each : workers_) RL_ASSERT(each.forks.pop() == nullptr);
    for (int i = 0; i < call_count; ++i) {
      const auto place = static_cast<std::size_t>(i);
      RL_ASSERT(calls_[place] == (i < static_cast<Derived&>(*this).expected_calls() ? 1 : 0));
    }
  }

  /// What worker_thread::help_until_done() does: steals from the thief that it waits for, and from
  /// nobody else; runs what that leaves in its own lane; and sleeps when there is nothing to help
  /// with.
  void wait_for(worker& here, detail::forked_call& call) final {
    void* const waiting = here.context();
    while (!call.is_done()) {
      worker* const thief = call.thief();
      detail::job* item = thief != nullptr ? thief->forks.steal() : nullptr;
      if (item != nullptr) {
        for (; item != nullptr; item = here.forks.pop()) item->run(*item, here);
      } else if (how == patience::looks) {
        let_time_pass();
      } else {
        call.doze(std::chrono::microseconds(50));
      }
    }
    here.set_context(waiting);
  }

 protected:
  static constexpr int call_count = 4;

  /// The body of closure number `which`: once, and seen by whoever waits for it.
  int call(int which) {
    RL_ASSERT(worker::here().context() == &context_);
    const auto place = static_cast<std::size_t>(which);
    calls_[place] += 1;
    RL_ASSERT(calls_[place] == 1);
    results_[place].write(which + 1);
    return which;
  }

  void expect(int which) {
    RL_ASSERT(results_[static_cast<std::size_t>(which)].read() == which + 1);
  }

 private:
  template <std::size_t... indices>
  static std::array<worker, workers> make_workers(std::index_sequence<indices...>) {
    return {worker{indices, nullptr, forks}...};
  }

  detail::job* steal(worker& here) {
    for (worker& each : workers_) {
      if (&each == &here) continue;
      if (detail::job* const item = each.forks.steal()) return item;
    }
    return nullptr;
  }

  std::array<worker, workers> workers_;
  std::array<int, call_count> calls_{};
  std::array<plain<int>, call_count> results_;
  int context_ = 0;
  bool is_over_ = false;
};

/// Two closures; then two others, whose call lies where the first one lay.
template <unsigned workers, patience how, worker::manner forks = worker::manner::calm>
class two_forks : public fork_program<two_forks<workers, how, forks>, workers, how, forks> {
 public:
  int expected_calls() const { return 4; }

  void fork() {
    for (const int first : {0, 2}) {
      const auto [one, two] =
          parallel_invoke([&] { return this->call(first); }, [&] { return this->call(first + 1); });
      RL_ASSERT(one == first && two == first + 1);
      this->expect(first);
      this->expect(first + 1);
    }
  }
};

/// The second closure forks in its turn: a forker that waits may help its thief.
template <unsigned workers, patience how>
class nested_forks
    : public fork_program<nested_forks<workers, how>, workers, how, worker::manner::calm> {
 public:
  int expected_calls() const { return 3; }

  void fork() {
    parallel_invoke([&] { return this->call(0); }, [&] { return this->call(1); },
                    [&] { return this->call(2); });
    for (int i = 0; i < 3; ++i) this->expect(i);
  }
};

/// A closure throws; the other one is called or awaited all the same.
template <unsigned workers, int thrower>
class throwing_forks : public fork_program<throwing_forks<workers, thrower>, workers,
                                           patience::dozes, worker::manner::calm> {
 public:
  int expected_calls() const { return 2; }

  void fork() {
    bool was_thrown = false;
    try {
      parallel_invoke([&] { called(0); }, [&] { called(1); });
    } catch (int) {
      was_thrown = true;
    }
    RL_ASSERT(was_thrown);
    this->expect(0);
    this->expect(1);
  }

 private:
  void called(int which) {
    this->call(which);
    if (which == thrower) throw which;
  }
};

}  // namespace
}  // namespace magpie::model

namespace magpie::detail {

void worker::wait_for(forked_call& call) noexcept {
  model::fork_program_base::running->wait_for(*this, call);
}
void throw_invalid_state(const char*) { std::abort(); }

}  // namespace magpie::detail

int main() {
  using namespace magpie::model;
  using magpie::detail::worker;
  run<two_forks<1, patience::dozes>>("two_forks<1>", search::all);
  run<two_forks<1, patience::dozes, worker::manner::full>>("two_forks<1, full>", search::all);
  for (const search kind : {search::two_preemptions, search::random}) {
    run<two_forks<2, patience::looks>>("two_forks<2, looks>", kind);
    run<two_forks<2, patience::dozes>>("two_forks<2, dozes>", kind);
    run<two_forks<2, patience::dozes, worker::manner::marked>>("two_forks<2, marked>", kind);
    run<nested_forks<2, patience::looks>>("nested_forks<2, looks>", kind);
    run<nested_forks<2, patience::dozes>>("nested_forks<2, dozes>", kind);
    run<throwing_forks<2, 0>>("throwing_forks<2, 0>", kind);
    run<throwing_forks<2, 1>>("throwing_forks<2, 1>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<two_forks<3, patience::dozes>>("two_forks<3, dozes>", kind);
    run<nested_forks<3, patience::dozes>>("nested_forks<3, dozes>", kind);
  }
}
