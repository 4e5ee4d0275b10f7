// The children of a task group under relacy: they end on any thread while others are launched,
// while abort() tells them, and while the owner joins. Each is told once at most, and not after its
// last visit. The join goes on when all have ended, once, with all that they did behind it; and
// what the owner frees then nobody touches any more.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include <magpie/detail/child_tasks.hpp>

#include "runtime/child_tasks.cpp"
#include "runtime/errors.cpp"
#include "runtime/wait_list.cpp"
#include "search.hpp"

namespace magpie::model {
namespace {

using detail::child_tasks;
using detail::task_state_base;

detail::runtime_core* core = nullptr;

/// What a child does before it ends, and how it ends.
enum class manner { ends, fails, aborts, launches };

/// Thread 0 is the owner: it launches the first children and joins. The others are workers. The
/// first of them may launch the last child itself, before the owner joins.
template <unsigned workers, std::size_t count>
class group_program : public program {
 public:
  static constexpr unsigned threads = 1 + workers;

  group_program(std::array<manner, count> manners, std::size_t launched_by_owner, bool owner_aborts,
                bool worker_launches = false)
      : manners_(manners),
        first_(launched_by_owner),
        owner_aborts_(owner_aborts),
        worker_launches_(worker_launches) {
    core = &core_;
  }

  void before() final { group_ = ::new (detail::allocate_frame(sizeof(child_tasks))) child_tasks; }

  void thread(unsigned index) final {
    if (index == 0) {
      own();
    } else {
      if (index == 1 && worker_launches_) {
        launch(count - 1);
        has_launched_ = true;
      }
      work(workers_[index]);
    }
  }

  void after() final {
    for (std::size_t i = 0; i < count; ++i) {
      RL_ASSERT(tasks_[i].requests <= 1);
      RL_ASSERT(endings_[i] == (tasks_[i].is_discarded ? 0 : 1));
    }
    RL_ASSERT(core_.jobs.take() == nullptr && detail::frames::are_gone());
  }

 private:
  void own() {
    for (std::size_t i = 0; i < first_; ++i) launch(i);
    while (worker_launches_ && !has_launched_) let_time_pass();
    if (owner_aborts_) group_->abort();
    join_.emplace(group_->join());
    if (join_->await_suspend({})) {
      work(workers_[0]);
    } else {
      go_on();
    }
  }

  /// On the thread that takes the woken join.
  void go_on() {
    RL_ASSERT(!is_over_);
    std::size_t failing = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (tasks_[i].is_discarded) continue;
      RL_ASSERT(!tasks_[i].is_alive());
      failing += manners_[i] == manner::fails ? 1 : 0;
    }
    RL_ASSERT(group_->take_failures().size() == failing);
    group_->~child_tasks();
    detail::free_frame(group_, sizeof(child_tasks));
    is_over_ = true;
  }

  void work(detail::worker& here) {
    while (!is_over_) {
      detail::job* const item = core_.jobs.take();
      if (item == nullptr) {
        let_time_pass();
      } else if (join_ && item == (detail::job*)&*join_) {  // which it is in private
        go_on();
      } else {
        run(static_cast<std::size_t>(static_cast<task_state_base*>(item) - tasks_.data()), here);
      }
    }
  }

  void run(std::size_t index, detail::worker& here) {
    std::exception_ptr failure;
    switch (manners_[index]) {
      case manner::ends:
        break;
      case manner::fails:
        failure = std::make_exception_ptr(static_cast<int>(index));
        break;
      case manner::aborts:
        group_->abort();
        break;
      case manner::launches:
        launch(count - 1);
        break;
    }
    endings_[index] += 1;
    tasks_[index].end(here, std::move(failure));
  }

  void launch(std::size_t index) {
    try {
      group_->launch(tasks_[index], {});
    } catch (const invalid_state&) {
      RL_ASSERT(tasks_[index].is_discarded);
    }
  }

  const std::array<manner, count> manners_;
  const std::size_t first_;
  const bool owner_aborts_;
  const bool worker_launches_;
  detail::runtime_core core_;
  std::array<detail::worker, 4> workers_{
      detail::worker{0, &core_.jobs, detail::worker::manner::calm},
      detail::worker{1, &core_.jobs, detail::worker::manner::calm},
      detail::worker{2, &core_.jobs, detail::worker::manner::calm},
      detail::worker{3, &core_.jobs, detail::worker::manner::calm}};
  std::array<task_state_base, count> tasks_;
  std::array<int, count> endings_{};
  child_tasks* group_ = nullptr;
  std::optional<child_tasks::join_awaiter> join_;
  bool has_launched_ = false;
  bool is_over_ = false;
};

template <unsigned workers>
class ending : public group_program<workers, 2> {
 public:
  ending() : group_program<workers, 2>({manner::ends, manner::ends}, 2, false) {}
};

template <unsigned workers>
class failing : public group_program<workers, 2> {
 public:
  failing() : group_program<workers, 2>({manner::fails, manner::ends}, 2, false) {}
};

template <unsigned workers>
class failing_twice : public group_program<workers, 2> {
 public:
  failing_twice() : group_program<workers, 2>({manner::fails, manner::fails}, 2, false) {}
};

template <unsigned workers>
class aborting : public group_program<workers, 2> {
 public:
  aborting() : group_program<workers, 2>({manner::ends, manner::aborts}, 2, false) {}
};

/// The owner aborts while the children end.
template <unsigned workers>
class aborted : public group_program<workers, 2> {
 public:
  aborted() : group_program<workers, 2>({manner::ends, manner::ends}, 2, true) {}
};

/// A child launches another, perhaps while the owner waits.
template <unsigned workers>
class launching : public group_program<workers, 2> {
 public:
  launching() : group_program<workers, 2>({manner::launches, manner::ends}, 1, false) {}
};

/// Two threads launch at once, so that both make a block.
template <unsigned workers>
class launching_beside : public group_program<workers, 2> {
 public:
  launching_beside() : group_program<workers, 2>({manner::ends, manner::ends}, 1, false, true) {}
};

}  // namespace
}  // namespace magpie::model

namespace magpie::detail {

runtime_core& current_core() { return *model::core; }
void check_failed(const char*, const char*, const char*, int) noexcept { std::abort(); }

}  // namespace magpie::detail

int main() {
  using namespace magpie::model;
  for (const search kind : {search::two_preemptions, search::random}) {
    run<ending<1>>("ending<1>", kind);
    run<failing<1>>("failing<1>", kind);
    run<aborting<1>>("aborting<1>", kind);
    run<aborted<1>>("aborted<1>", kind);
    run<launching<1>>("launching<1>", kind);
    run<launching_beside<1>>("launching_beside<1>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<ending<2>>("ending<2>", kind);
    run<failing<2>>("failing<2>", kind);
    run<failing_twice<2>>("failing_twice<2>", kind);
    run<aborting<2>>("aborting<2>", kind);
    run<aborted<2>>("aborted<2>", kind);
    run<launching<2>>("launching<2>", kind);
    run<launching_beside<2>>("launching_beside<2>", kind);
  }
}
