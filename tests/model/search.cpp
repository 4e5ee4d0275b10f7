#include "search.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>
#include <string_view>

#include "relacy_sync.hpp"
#include "support/scale.hpp"

namespace magpie::model {
namespace {

/// While one of these lives, relacy leaves `new` and `delete` to the C library. Otherwise each
/// `delete` would be a choice of the search (is the memory used again at once or later?), and those
/// of a program's destructor alone would multiply the executions by 16 without adding anything.
class plain_memory {
 public:
  plain_memory() { tracking_disabled() += 1; }
  ~plain_memory() { tracking_disabled() -= 1; }
  plain_memory(const plain_memory&) = delete;
  plain_memory& operator=(const plain_memory&) = delete;

 private:
  struct access : rl::context {
    static constexpr int rl::context::* disabled = &access::disable_alloc_;
  };
  static int& tracking_disabled() { return rl::ctx().*access::disabled; }
};

std::unique_ptr<program> (*make_program)() = nullptr;

template <int threads>
class execution : private plain_memory, public rl::test_suite<execution<threads>, threads> {
 public:
  void before() {
    last_loads = {};
    program_->before();
  }
  void thread(unsigned index) { program_->thread(index); }
  void after() { program_->after(); }

 private:
  std::unique_ptr<program> program_ = make_program();
};

/// relacy's own entry point, rl::simulate, would compile each of its schedulers for each number of
/// threads.
template <class Scheduler, int threads>
bool simulate(rl::test_params& parameters) {
  rl::ostringstream failure;
  if (rl::run_test<execution<threads>, Scheduler>(parameters, failure, false) ==
      rl::test_result_success) {
    return true;
  }
  // The failing execution once more, to write down its history.
  parameters.initial_state = failure.str();
  parameters.collect_history = true;
  rl::ostringstream unused;
  rl::run_test<execution<threads>, Scheduler>(parameters, unused, true);
  return false;
}

using simulation = bool (*)(rl::test_params&);

/// Of one thread, two threads, ...
template <template <rl::thread_id_t> class Scheduler>
constexpr std::array<simulation, 5> simulations = {
    simulate<Scheduler<1>, 1>, simulate<Scheduler<2>, 2>, simulate<Scheduler<3>, 3>,
    simulate<Scheduler<4>, 4>, simulate<Scheduler<5>, 5>};

constexpr rl::iteration_t random_executions_of_a_full_run = 1'000'000;

struct settings {
  std::string_view name;
  const std::array<simulation, 5>& simulate;
  rl::test_params parameters;
};

settings preemptions(std::string_view name, unsigned bound) {
  settings result{name, simulations<rl::context_bound_scheduler>, {}};
  result.parameters.search_type = rl::fair_context_bound_scheduler_type;
  result.parameters.context_bound = bound;
  return result;
}

settings settings_of(search kind) {
  const rl::iteration_t random_executions = test::scaled(random_executions_of_a_full_run);
  switch (kind) {
    case search::all:
      return preemptions("all", std::numeric_limits<unsigned>::max());
    case search::few_preemptions:
      if (random_executions < random_executions_of_a_full_run) {
        return preemptions("one preemption", 1);
      }
      [[fallthrough]];
    case search::two_preemptions:
      return preemptions("two preemptions", 2);
    case search::random:
      break;
  }
  settings result{"random", simulations<rl::random_scheduler>, {}};
  result.parameters.search_type = rl::random_scheduler_type;
  result.parameters.iteration_count = random_executions;
  return result;
}

}  // namespace

void run(const char* name, search kind, unsigned threads, std::unique_ptr<program> (*make)()) {
  using clock = std::chrono::steady_clock;
  settings chosen = settings_of(kind);
  std::ostringstream report;
  std::ostream nowhere(nullptr);
  chosen.parameters.output_stream = &report;
  chosen.parameters.progress_stream = &nowhere;
  make_program = make;

  const clock::time_point start = clock::now();
  const bool passed = chosen.simulate[threads - 1](chosen.parameters);
  const std::chrono::duration<double> time = clock::now() - start;

  std::cout << std::left << std::setw(30) << name << std::setw(16) << chosen.name << std::right
            << std::setw(9) << chosen.parameters.stop_iteration << " executions " << std::fixed
            << std::setprecision(2) << std::setw(7) << time.count() << " s  "
            << (passed ? "ok" : "FAILED") << std::endl;
  if (passed) return;
  std::cout << report.str() << std::flush;
  std::_Exit(EXIT_FAILURE);
}

}  // namespace magpie::model
