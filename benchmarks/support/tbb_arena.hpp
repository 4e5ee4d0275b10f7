#pragma once

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <cstddef>
#include <utility>

namespace bench {

/// An arena in which as many threads compute as the program has workers.
class tbb_arena {
 public:
  enum class caller { computes, is_outside };

  /// The thread that calls run() is one of the workers, or it only submits.
  tbb_arena(std::size_t workers, caller calling)
      : most_(tbb::global_control::max_allowed_parallelism,
              calling == caller::computes ? workers : workers + 1),
        arena_(static_cast<int>(workers), calling == caller::computes ? 1 : 0) {
    arena_.initialize();
  }

  template <class Function>
  auto run(Function&& function) {
    return arena_.execute(std::forward<Function>(function));
  }

  template <class Function>
  void enqueue(Function&& function) {
    arena_.enqueue(std::forward<Function>(function));
  }

 private:
  const tbb::global_control most_;
  tbb::task_arena arena_;
};

}  // namespace bench
