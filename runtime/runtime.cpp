#include <magpie/runtime.hpp>

#include <atomic>
#include <cstdio>
#include <magpie/check.hpp>
#include <magpie/errors.hpp>
#include <mutex>
#include <unordered_map>

#include "runtime/runtime_core.hpp"

namespace magpie {

namespace detail {

namespace {

/// One shard for each worker, and one for all other threads.
std::size_t shards_for(const runtime_options& settings) { return settings.workers + 1; }

/// The runtimes of the process, for what may outlive its runtime and asks before it goes there.
/// Lives for ever, as handles may.
struct living_runtimes {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, runtime_core*> by_id;  // guarded by mutex

  static living_runtimes& instance() {
    static auto* const living = new living_runtimes;
    return *living;
  }

  static std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);
  }
};

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

runtime_core::runtime_core(const runtime_options& settings)
    : id(living_runtimes::next_id()),
      options(checked(settings)),
      tasks(shards_for(options)),
      jobs({.workers = options.workers, .owner = this}),
      blocking(options.max_blocking_threads) {
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  living.by_id.emplace(id, this);
}

runtime_core::~runtime_core() {
  MAGPIE_CHECK(worker_here() == nullptr,
               "a runtime to be destroyed on a thread that is not one of its workers");
  jobs.flush_timers();
  tasks.close_when_empty();
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  living.by_id.erase(id);
}

bool runtime_core::visit(std::uint64_t id, const std::function<void(runtime_core&)>& visit) {
  living_runtimes& living = living_runtimes::instance();
  const std::lock_guard lock(living.mutex);
  const auto found = living.by_id.find(id);
  if (found == living.by_id.end()) return false;
  visit(*found->second);
  return true;
}

worker* runtime_core::worker_here() noexcept {
  worker* const here = worker::current();
  return here != nullptr && &here->home() == &jobs ? here : nullptr;
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
  std::vector<any_task_handle> live;
  core_->tasks.for_each([&live](detail::task_state_base& task) {
    live.push_back(detail::handle_access::share(task));
  });
  return live;
}

any_task_handle current_task() noexcept {
  const detail::worker* const here = detail::worker::current();
  if (here == nullptr || here->task == nullptr) return {};
  return detail::handle_access::share(*static_cast<detail::task_state_base*>(here->task));
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
