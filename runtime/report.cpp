#include <magpie/report.hpp>

#include <algorithm>
#include <cstdint>
#include <magpie/task_handle.hpp>
#include <string_view>
#include <utility>

#include "runtime/runtime_core.hpp"

namespace magpie {

namespace {

std::string place(const std::source_location& where) {
  const std::string_view path = where.file_name();
  std::string words(path.substr(path.find_last_of('/') + 1));
  return words + ':' + std::to_string(where.line());
}

}  // namespace

std::string runtime_report::text() const {
  std::string lines;
  for (const live_task& each : tasks) {
    lines += "task \"" + each.name + "\" (" + place(each.spawned_at) + "): " + each.waiting_for;
    lines += '\n';
  }
  for (const std::vector<std::size_t>& cycle : cycles) {
    lines += "cycle: ";
    for (const std::size_t each : cycle) lines += '"' + tasks[each].name + "\" awaits ";
    lines += '"' + tasks[cycle.front()].name + "\"\n";
  }
  if (blocking_calls != 0) {
    lines += "blocking calls that have not returned: " + std::to_string(blocking_calls) + '\n';
  }
  return lines;
}

namespace detail {

namespace {

/// A task that a report is about. It is kept until the report is complete, so that no other task
/// gets its address meanwhile.
struct reported_task {
  explicit reported_task(task_state_base& task)
      : kept(handle_access::share(task)), number(task.number()) {}

  [[nodiscard]] task_state_base& state() const noexcept { return handle_access::state(kept); }

  any_task_handle kept;
  std::uint64_t number;
  std::vector<const task_state_base*> awaited;
};

/// Finds rings of tasks in which each awaits the next. Walks depth first, without recursion, and
/// looks at each edge once.
class cycle_search {
 public:
  explicit cycle_search(const std::vector<reported_task>& tasks) : tasks_(tasks) {
    for (std::size_t i = 0; i < tasks.size(); ++i) places_.emplace_back(&tasks[i].state(), i);
    std::sort(places_.begin(), places_.end());
  }

  [[nodiscard]] std::vector<std::vector<std::size_t>> run() {
    seen_.assign(tasks_.size(), seen::never);
    for (std::size_t i = 0; i < tasks_.size(); ++i) walk_from(i);
    return std::move(found_);
  }

 private:
  enum class seen : unsigned char { never, on_path, done };
  static constexpr auto nowhere = static_cast<std::size_t>(-1);

  struct step {
    std::size_t task;
    std::size_t next = 0;  // the edge to follow next
  };

  void walk_from(std::size_t begin) {
    if (seen_[begin] != seen::never) return;
    enter(begin);
    while (!path_.empty()) {
      step& last = path_.back();
      const std::vector<const task_state_base*>& edges = tasks_[last.task].awaited;
      if (last.next == edges.size()) {
        seen_[last.task] = seen::done;
        path_.pop_back();
        continue;
      }
      const std::size_t awaited = place_of(edges[last.next++]);
      if (awaited == nowhere) continue;
      if (seen_[awaited] == seen::never) {
        enter(awaited);
      } else if (seen_[awaited] == seen::on_path) {
        note_cycle(awaited);
      }
    }
  }

  void enter(std::size_t task) {
    seen_[task] = seen::on_path;
    path_.push_back({.task = task});
  }

  /// The ring goes from `first` along the path, and back to it. Its tasks leave the path.
  void note_cycle(std::size_t first) {
    std::vector<std::size_t> cycle;
    do {
      cycle.push_back(path_.back().task);
      seen_[cycle.back()] = seen::done;
      path_.pop_back();
    } while (cycle.back() != first);
    std::reverse(cycle.begin(), cycle.end());
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    found_.push_back(std::move(cycle));
  }

  /// Returns the place of a task in the report; nowhere for a task of another runtime.
  [[nodiscard]] std::size_t place_of(const task_state_base* task) const {
    const auto found =
        std::lower_bound(places_.begin(), places_.end(), std::pair(task, std::size_t{0}));
    return found != places_.end() && found->first == task ? found->second : nowhere;
  }

  const std::vector<reported_task>& tasks_;
  std::vector<std::pair<const task_state_base*, std::size_t>> places_;  // sorted
  std::vector<seen> seen_;
  std::vector<step> path_;
  std::vector<std::vector<std::size_t>> found_;
};

}  // namespace

runtime_report runtime_core::report() {
  std::vector<reported_task> found;
  for_each_task([&found](task_state_base& each) { found.emplace_back(each); });
  std::sort(found.begin(), found.end(), [](const reported_task& left, const reported_task& right) {
    return left.number < right.number;
  });
  runtime_report made;
  made.tasks.reserve(found.size());
  for (reported_task& each : found) {
    wait_descriptions waits;
    each.state().describe_waits(waits);
    each.awaited = waits.awaited_tasks();
    made.tasks.push_back({.name = each.state().name(),
                          .spawned_at = each.state().spawned_at(),
                          .waiting_for = waits.text()});
  }
  made.cycles = cycle_search(found).run();
  made.blocking_calls = blocking.job_count();
  return made;
}

}  // namespace detail

}  // namespace magpie
