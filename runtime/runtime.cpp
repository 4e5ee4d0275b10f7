#include <magpie/runtime.hpp>

#include <cstdio>
#include <magpie/check.hpp>
#include <magpie/errors.hpp>

#include "runtime/runtime_core.hpp"

namespace magpie {

namespace detail {

namespace {

/// One shard for each worker, and one for all other threads.
std::size_t shards_for(const runtime_options& settings) { return settings.workers + 1; }

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
    : options(checked(settings)),
      tasks(shards_for(options)),
      jobs({.workers = options.workers, .owner = this}),
      blocking(options.max_blocking_threads) {}

runtime_core::~runtime_core() {
  MAGPIE_CHECK(worker_here() == nullptr,
               "a runtime to be destroyed on a thread that is not one of its workers");
  jobs.flush_timers();
  tasks.wait_until_empty();
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
