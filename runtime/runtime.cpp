#include <magpie/runtime.hpp>

#include <algorithm>
#include <cstdio>
#include <magpie/check.hpp>
#include <magpie/errors.hpp>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/runtime_core.hpp"

namespace magpie {

namespace detail {

namespace {

/// The runtimes of the process, for what may outlive its runtime and asks before it goes there.
/// Lives for ever, as handles may.
struct living_runtimes {
  std::mutex mutex;  // guards all below
  std::unordered_map<std::uint64_t, runtime_core*> by_identity;
  std::vector<unobserved_hook> hooks;  // each that was ever used, once
  std::uint64_t next_number = 0;

  static living_runtimes& instance() {
    static auto* const living = new living_runtimes;
    return *living;
  }
};

// An identity's word: a one, the place of the hook, the number.
constexpr unsigned hook_bits = 16;

runtime_options checked(runtime_options settings) {
  if (settings.workers == runtime_options::automatic) settings.workers = available_processors();
  if (settings.workers < 1 || settings.workers > runtime_options::most_workers) {
    throw_invalid_state("runtime_options::workers to be automatic or 1 to 4096");
  }
  if (settings.max_blocking_threads < 1) {
    throw_invalid_state("runtime_options::max_blocking_threads to be at least 1");
  }
  return settings;
}

}  // namespace

runtime_identity::runtime_identity(unobserved_hook used) : word_(0) {
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  const auto found = std::find(living.hooks.begin(), living.hooks.end(), used);
  const auto place = static_cast<std::uint64_t>(found - living.hooks.begin());
  if (place >> hook_bits != 0) {
    throw_invalid_state("at most 65536 different functions as runtime_options::on_unobserved");
  }
  if (found == living.hooks.end()) living.hooks.push_back(used);
  word_ = (living.next_number++ << hook_bits | place) << 1 | 1;
}

unobserved_hook runtime_identity::hook() const noexcept {
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  return living.hooks[(word_ >> 1) % (std::uint64_t{1} << hook_bits)];
}

runtime_core::runtime_core(const runtime_options& settings)
    : options(checked(settings)),
      identity(options.on_unobserved),
      tasks(options.workers),
      jobs({.workers = options.workers,
            .where = options.pin ? pinning::one_processor_each : pinning::none,
            .owner = this,
            .long_runs = {.limit = options.long_run_limit,
                          .report =
                              [](void* self, void* scope, duration so_far) {
                                static_cast<runtime_core*>(self)->report_long_run(scope, so_far);
                              }}}),
      blocking(options.max_blocking_threads) {
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  living.by_identity.emplace(identity.word(), this);
}

runtime_core::~runtime_core() {
  MAGPIE_CHECK(jobs.worker_here() == nullptr,
               "a runtime to be destroyed on a thread that is not one of its workers");
  for (const any_task_handle& each : find_tasks([](task_state_base&) { return true; })) {
    each.cancel();
  }
  jobs.flush_timers();
  tasks.close_when_empty();
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  living.by_identity.erase(identity.word());
}

void runtime_core::visit(runtime_identity which, const std::function<void(runtime_core&)>& visit) {
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  const auto found = living.by_identity.find(which.word());
  if (found != living.by_identity.end()) visit(*found->second);
}

std::vector<any_task_handle> runtime_core::find_tasks(
    const std::function<bool(task_state_base&)>& wanted) const {
  struct visit {
    task_state_base* state;

    explicit visit(task_state_base* visited) noexcept : state(visited) {}
    visit(visit&& other) noexcept : state(std::exchange(other.state, nullptr)) {}
    ~visit() {
      if (state != nullptr) state->end_visit();
    }
  };
  // Of all runtimes at first: while slots are looked through no visit may end, since the end of the
  // last one frees a slot.
  std::vector<visit> visits;
  visit latest(nullptr);
  for_each_slot([&](slot& each) {
    latest.state = task_state_base::try_visit(each);
    if (latest.state != nullptr) visits.push_back(std::move(latest));
  });
  std::vector<any_task_handle> found;
  for (const visit& each : visits) {
    if (each.state->home() == this && !each.state->is_done() && wanted(*each.state)) {
      found.push_back(handle_access::share(*each.state));
    }
  }
  return found;
}

void runtime_core::report_long_run(const void* scope, duration so_far) {
  if (options.on_long_run == nullptr) return;
  // It may have ended meanwhile, and its slot may be another task's or gone: so it is looked for.
  const auto is_it = [scope](task_state_base& each) { return each.contains(scope); };
  for (const any_task_handle& found : find_tasks(is_it)) {
    const std::string name = found.name();
    options.on_long_run({name, so_far});
  }
}

void runtime_core::add_tasks(std::size_t count) {
  // What a worker runs is registered itself: a task, or a task's done callbacks.
  if (const worker* const here = jobs.worker_here()) return tasks.add(*here, count);
  if (!tasks.add_from_outside(count)) {
    throw_invalid_state("a runtime to spawn on that is not being destroyed");
  }
}

runtime_core& current_core() {
  return runtime_core::of(this_worker("spawn() to be called by a task on a runtime"));
}

}  // namespace detail

runtime::runtime(const runtime_options& options)
    : core_(std::make_unique<detail::runtime_core>(options)) {}

runtime::~runtime() = default;

void runtime::check_may_block() {
  if (detail::worker::current() != nullptr) {
    detail::throw_invalid_state("block_on() to be called on a thread that is not a worker");
  }
}

std::size_t runtime::worker_count() const noexcept { return core_->jobs.worker_count(); }

runtime_statistics runtime::statistics() const { return {core_->jobs.statistics()}; }

std::vector<any_task_handle> runtime::all_tasks() const {
  return core_->find_tasks([](detail::task_state_base&) { return true; });
}

any_task_handle current_task() noexcept {
  const detail::worker* const here = detail::worker::current();
  if (here == nullptr || here->context() == nullptr) return {};
  return detail::handle_access::share(detail::this_scope(*here).root());
}

void print_long_run(const long_run& run) noexcept {
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(run.so_far);
  std::fprintf(stderr, "magpie: task \"%.*s\" has not suspended for %lld ms\n",
               static_cast<int>(run.task_name.size()), run.task_name.data(),
               static_cast<long long>(time.count()));
}

void print_unobserved(const unobserved_failure& failure) noexcept {
  const auto print = [&](const char* what) {
    std::fprintf(stderr, "magpie: nobody observed the failure of task \"%.*s\": %s\n",
                 static_cast<int>(failure.task_name.size()), failure.task_name.data(), what);
  };
  try {
    std::rethrow_exception(failure.error);
  } catch (const std::exception& error) {
    print(error.what());
  } catch (...) {
    print("an exception that is not a std::exception");
  }
}

}  // namespace magpie
