#include <magpie/runtime.hpp>

#include <algorithm>
#include <cstdio>
#include <magpie/detail/cancel_round.hpp>
#include <magpie/detail/check.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/thread_mutex.hpp>
#include <magpie/errors.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtime/forked_process.hpp"
#include "runtime/runtime_core.hpp"

namespace magpie {

namespace detail {

namespace {

/// The runtimes of the process. A task may outlive its runtime, and looks here before it uses the
/// runtime. Never destroyed, because handles may live as long as the process.
struct living_runtimes {
  thread_mutex mutex;
  std::unordered_map<std::uint64_t, runtime_core*> by_identity MAGPIE_GUARDED_BY(mutex);
  // Each hook that was ever used, once.
  std::vector<unobserved_hook> hooks MAGPIE_GUARDED_BY(mutex);
  std::uint64_t next_number MAGPIE_GUARDED_BY(mutex) = 0;

  static living_runtimes& instance() {
    static auto* const living = new living_runtimes;
    return *living;
  }
};

// An identity's word, from the lowest bit: a one, the place of the hook, the number.
constexpr unsigned hook_bits = 16;

runtime_options checked(runtime_options settings) {
  if (settings.workers == runtime_options::automatic) settings.workers = available_processors();
  if (settings.workers > runtime_options::most_workers) {
    throw_invalid_state("runtime_options::workers to be automatic or at most 4096");
  }
  if (settings.workers != 0 &&
      (settings.time != real_time || settings.seed != 0 || settings.on_wake)) {
    throw_invalid_state(
        "runtime_options::workers to be 0 where virtual time, a seed or on_wake is asked for");
  }
  if (settings.max_blocking_threads < 1) {
    throw_invalid_state("runtime_options::max_blocking_threads to be at least 1");
  }
  return settings;
}

using ring_function = void (*)(void*) noexcept;

ring_function ring_of(const runtime_options& settings) noexcept {
  if (!settings.on_wake) return nullptr;
  return [](void* core) noexcept { static_cast<runtime_core*>(core)->options.on_wake(); };
}

}  // namespace

runtime_identity::runtime_identity(unobserved_hook used) : word_(0) {
  living_runtimes& living = living_runtimes::instance();
  const lock_guard lock(living.mutex);
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
  const lock_guard lock(living.mutex);
  return living.hooks[(word_ >> 1) % (std::uint64_t{1} << hook_bits)];
}

runtime_core::runtime_core(const runtime_options& settings)
    : options(checked(settings)),
      identity(options.on_unobserved),
      tasks(std::max<std::size_t>(options.workers, 1)),
      rounds(1, "magpie-rounds"),
      jobs({.workers = options.workers,
            .driven = {.time = options.time, .seed = options.seed, .ring = ring_of(options)},
            .where = options.pin ? pinning::one_processor_each : pinning::none,
            .owner = this,
            .long_runs = {.limit = options.long_run_limit,
                          .report =
                              [](void* self, void* scope, duration so_far) {
                                static_cast<runtime_core*>(self)->report_long_run(scope, so_far);
                              }}}),
      blocking(options.max_blocking_threads, "magpie-blocking") {
  living_runtimes& living = living_runtimes::instance();
  const lock_guard lock(living.mutex);
  living.by_identity.emplace(identity.word(), this);
}

runtime_core::~runtime_core() {
  cancel_all(cancelled_before::cancelled_again, {});
  if (!drain(time_point::max())) {
    std::fprintf(stderr, "%s", report().text().c_str());
    MAGPIE_CHECK(false, "tasks that end when they are cancelled, at the end of their runtime");
  }
  living_runtimes& living = living_runtimes::instance();
  const lock_guard lock(living.mutex);
  living.by_identity.erase(identity.word());
}

void runtime_core::request_shutdown() {
  const auto reason = std::make_shared<const std::string>("shutdown");
  tasks.refuse_outside();
  cancel_all(cancelled_before::spared, reason);
}

void runtime_core::cancel_all(cancelled_before which,
                              const std::shared_ptr<const std::string>& reason) {
  is_closing_.store(true, std::memory_order_relaxed);
  asymmetric_fence::heavy();
  for_each_task([&](task_state_base& each) {
    if (which == cancelled_before::cancelled_again || each.cancelling() == 0) {
      cancel_task(each, reason);
    }
  });
}

runtime_report runtime_core::shut_down(time_point deadline) {
  request_shutdown();
  runtime_report left;
  if (!drain(deadline)) left = report();
  is_shut_down_.store(true, std::memory_order_relaxed);
  // Virtual time stands still while functions run.
  const bool is_virtual = options.time == virtual_time;
  left.blocking_calls = blocking.wait_until_idle(is_virtual ? time_point::max() : deadline);
  return left;
}

bool runtime_core::drain(time_point deadline) {
  if (!is_driven()) return tasks.close_when_empty(deadline);
  const auto is_closed = [this] { return tasks.close_if_empty(); };
  return drive(is_closed, deadline) == scheduler::end_of_run::over;
}

void runtime_core::wait_for_end(task_state_base& awaited) {
  if (!is_driven()) {
    awaited.wait();
    return;
  }
  const auto is_done = [&awaited] { return awaited.is_done(); };
  if (drive(is_done, time_point::max()) == scheduler::end_of_run::deadlock)
    throw deadlock(report());
}

void runtime_core::run_until(time_point deadline) {
  static_cast<void>(drive([] { return false; }, deadline));
}

scheduler::end_of_run runtime_core::drive(const std::function<bool()>& is_over,
                                          time_point deadline) {
  const auto is_expected = [this] {
    return blocking.job_count() != 0 || expected_.load(std::memory_order_acquire) != 0;
  };
  return jobs.run_until({.is_over = is_over, .is_expected = is_expected, .deadline = deadline});
}

runtime_core* runtime_core::try_add_task(runtime_identity which) {
  living_runtimes& living = living_runtimes::instance();
  const lock_guard lock(living.mutex);
  const auto found = living.by_identity.find(which.word());
  if (found == living.by_identity.end() || !found->second->try_add_tasks(1)) return nullptr;
  return found->second;
}

void runtime_core::for_each_task(const std::function<void(task_state_base&)>& visit) const {
  struct end_of_visit {
    void operator()(task_state_base* visited) const noexcept { visited->end_visit(); }
  };
  for_each_used_slot([&](slot& each) {
    const std::unique_ptr<task_state_base, end_of_visit> task(task_state_base::try_visit(each));
    if (task && task->belongs_to(*this) && !task->is_done()) visit(*task);
  });
}

std::vector<any_task_handle> runtime_core::all_tasks() const {
  std::vector<any_task_handle> all;
  for_each_task([&all](task_state_base& each) { all.push_back(handle_access::share(each)); });
  return all;
}

namespace {

/// Finds the task that has kept its worker, and reports it, on another thread than the
/// timekeeper's. The task may have ended by then, and its slot may have been reused or freed, so
/// this looks it up again.
struct long_run_search : pool_job {
  long_run_search(runtime_core& in, const void* which, duration time) noexcept
      : pool_job(&report), core(in), scope(which), so_far(time) {}

  static void report(pool_job& self) noexcept {
    const std::unique_ptr<const long_run_search> search(static_cast<long_run_search*>(&self));
    search->core.for_each_task([&](task_state_base& each) {
      if (!each.contains(search->scope)) return;
      const std::string name = each.name_for_report();
      search->core.options.on_long_run({name, search->so_far});
    });
  }

  runtime_core& core;
  const void* const scope;
  const duration so_far;
};

}  // namespace

void runtime_core::report_long_run(const void* scope, duration so_far) noexcept {
  if (options.on_long_run == nullptr) return;
  try {
    auto search = std::make_unique<long_run_search>(*this, scope, so_far);
    rounds.submit(*search);
    static_cast<void>(search.release());
  } catch (...) {  // there is no memory, or no thread: no report
  }
}

bool runtime_core::try_add_tasks(std::size_t count) {
  forked_process::check();
  const worker* const here = jobs.worker_here();
  if (here == nullptr) return tasks.add_from_outside(count);
  if (is_shut_down_.load(std::memory_order_relaxed)) [[unlikely]]
    return false;
  tasks.add(*here, count);  // what a worker runs is registered itself: a task, or done callbacks
  return true;
}

void runtime_core::add_tasks(std::size_t count) {
  if (try_add_tasks(count)) [[likely]]
    return;
  throw_invalid_state("a runtime to spawn on that is not shut down");
}

runtime_core& current_core() {
  return runtime_core::of(this_worker("spawn() to be called by a task on a runtime"));
}

}  // namespace detail

runtime::runtime(const runtime_options& options) {
  detail::forked_process::add_runtime();
  try {
    core_ = std::make_unique<detail::runtime_core>(options);
  } catch (...) {
    detail::forked_process::remove_runtime();
    throw;
  }
}

runtime::~runtime() {
  if (detail::forked_process::is_this()) {
    static_cast<void>(core_.release());  // this process has no threads to end it
    return;
  }
  // Checked before anything is written: other threads may still use the runtime.
  MAGPIE_CHECK(core_->jobs.worker_here() == nullptr,
               "a runtime to be destroyed on a thread that is not one of its workers");
  core_.reset();
  detail::forked_process::remove_runtime();
}

void runtime::check_may_block() {
  detail::forked_process::check();
  if (detail::worker::current() != nullptr) {
    detail::throw_invalid_state("a call that blocks to come from a thread that is not a worker");
  }
}

void runtime::request_shutdown() {
  detail::forked_process::check();
  core_->request_shutdown();
}

runtime_report runtime::shutdown(time_point deadline) {
  check_may_block();
  return core_->shut_down(std::max(deadline, time_point{}));
}

void runtime::check_is_driven() const {
  detail::forked_process::check();
  if (!core_->is_driven() || detail::worker::current() != nullptr) {
    detail::throw_invalid_state(
        "a runtime without workers to be driven, on a thread that is not a worker");
  }
}

void runtime::wait_for_end(const task_handle_base& awaited) {
  core_->wait_for_end(detail::handle_access::state(awaited));
}

bool runtime::poll_one() {
  check_is_driven();
  return core_->jobs.run_one();
}

void runtime::run_until_idle() {
  while (poll_one()) {
  }
}

void runtime::run_until(time_point deadline) {
  check_is_driven();
  core_->run_until(deadline);
}

std::optional<time_point> runtime::next_deadline() const {
  check_is_driven();
  const time_point next = core_->jobs.next_deadline();
  if (next == time_point::max()) return std::nullopt;
  return next;
}

time_point runtime::now() const noexcept { return core_->jobs.now(); }

std::size_t runtime::worker_count() const noexcept { return core_->jobs.worker_count(); }

runtime_statistics runtime::statistics() const {
  detail::forked_process::check();
  return {core_->jobs.statistics()};
}

runtime_report runtime::report() const {
  detail::forked_process::check();
  return core_->report();
}

work_guard::work_guard(runtime& expecting) : core_(expecting.core_.get()) {
  detail::forked_process::check();
  core_->expect();
}

work_guard::~work_guard() {
  if (core_ != nullptr) core_->expect_no_more();
}

std::vector<any_task_handle> runtime::all_tasks() const {
  detail::forked_process::check();
  return core_->all_tasks();
}

any_task_handle current_task() noexcept {
  const detail::worker* const here = detail::worker::current();
  if (here == nullptr || here->context() == nullptr) return {};
  return detail::handle_access::share(detail::task_of(detail::this_scope(*here)));
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
