#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <magpie/as_completed.hpp>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/gather.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task_group.hpp>
#include <magpie/timeout.hpp>
#include <magpie/wait.hpp>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// Random programs of tasks, which asyncio has run: asyncio/scenarios.py has the language of the
// programs. Each task must see the same here as there, at the same time.

namespace {

using magpie::task;
using handle = magpie::task_handle<int>;

struct failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct step {
  std::string name;
  std::vector<std::string> rest;
  std::string mark = {};  // "?", "!" or "^" and the time to clean up
};

using body = std::vector<step>;

struct program {
  std::size_t root;
  std::vector<body> bodies;
};

std::string words(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const magpie::cancelled&) {
    return "cancelled";
  } catch (const magpie::timeout_error&) {
    return "timeout";
  } catch (const magpie::exception_group& group) {
    std::string all;
    for (const std::exception_ptr& each : group.exceptions()) {
      all += (all.empty() ? "" : ", ") + words(each);
    }
    return "group(" + all + ")";
  } catch (const failure& failed) {
    return std::string("failure ") + failed.what();
  }
}

std::string outcome_of(const handle& done) {
  if (done.cancelled()) return "(cancelled)";
  try {
    return std::to_string(done.result());
  } catch (...) {
    return words(std::current_exception());
  }
}

magpie::duration seconds(const std::string& count) {
  return std::chrono::seconds(std::stoll(count));
}

/// 0: no limit.
magpie::duration limit_of(const std::string& count) {
  return count == "0" ? magpie::no_limit : seconds(count);
}

class interpreter {
 public:
  [[nodiscard]] static std::string transcript(const program& run) {
    interpreter made(run);
    {
      magpie::runtime runtime{
          {.workers = 0, .time = magpie::virtual_time, .on_unobserved = nullptr}};
      runtime.block_on(made.root());
      runtime.run_until(magpie::time_point::max());  // the others go on to their end
      EXPECT_EQ(runtime.report().text(), "");
    }
    // What happens to different tasks at one moment has no order that matters.
    std::sort(made.lines_.begin(), made.lines_.end(), [](const line& left, const line& right) {
      return std::tie(left.time, left.who, left.number) <
             std::tie(right.time, right.who, right.number);
    });
    std::string text;
    for (const line& each : made.lines_) {
      text += std::to_string(each.time) + ' ' + each.who + ' ' + each.what + '\n';
    }
    return text;
  }

 private:
  struct line {
    std::int64_t time;
    std::string who;
    std::size_t number;
    std::string what;
  };

  explicit interpreter(const program& run) : program_(run) {}

  void say(const std::string& who, std::string what) {
    const auto time = std::chrono::floor<std::chrono::seconds>(magpie::now().time_since_epoch());
    lines_.push_back({time.count(), who, lines_.size(), std::move(what)});
  }

  [[nodiscard]] const handle& task_of(const std::string& variable) const {
    return tasks_.at(std::stoi(variable));
  }
  [[nodiscard]] std::vector<handle> tasks_from(const step& taken, std::size_t first) const {
    std::vector<handle> all;
    for (std::size_t i = first; i < taken.rest.size(); ++i) all.push_back(task_of(taken.rest[i]));
    return all;
  }

  /// Runs a body. Its last step returns or throws.
  task<int> run(std::string who, std::size_t number) {
    const body& steps = program_.bodies[number];
    for (std::size_t i = 0;; ++i) {
      const step& next = steps[i];
      if (next.name == "return") {
        say(who, "returns " + next.rest[0]);
        co_return std::stoi(next.rest[0]);
      }
      if (next.name == "throw") {
        say(who, "throws " + next.rest[0]);
        throw failure(next.rest[0]);
      }
      std::exception_ptr error;
      bool is_cancelled = false;
      try {
        const std::string result = co_await act(who, who + '.' + std::to_string(i), next);
        say(who, next.name + ": " + result);
      } catch (const magpie::cancelled&) {
        error = std::current_exception();
        is_cancelled = true;
      } catch (...) {
        error = std::current_exception();
      }
      if (!error) continue;
      say(who, next.name + ": " + words(error));
      if (is_cancelled && next.mark[0] == '^') {
        co_await magpie::sleep_for(seconds(next.mark.substr(1)));
        say(who, "cleaned up");
      }
      if (next.mark == "!" || (next.mark == "?" && !is_cancelled)) continue;
      std::rethrow_exception(error);
    }
  }

  task<std::string> act(const std::string& who, std::string path, const step& taken) {
    const std::string& name = taken.name;
    if (name == "sleep") {
      co_await magpie::sleep_for(seconds(taken.rest[0]));
      co_return "over";
    }
    if (name == "spawn") {
      tasks_[std::stoi(taken.rest[0])] =
          magpie::spawn(run("t" + taken.rest[0], std::stoul(taken.rest[1])));
      co_return taken.rest[0];
    }
    if (name == "cancel") co_return task_of(taken.rest[0]).cancel() ? "true" : "false";
    if (name == "await") {
      const handle awaited = task_of(taken.rest[0]);
      const int result = co_await awaited;
      co_return std::to_string(result);
    }
    if (name == "shield") {
      const int result = co_await magpie::shield(task_of(taken.rest[0]));
      co_return std::to_string(result);
    }
    if (name == "wait_for") {
      const int result = co_await magpie::wait_for(task_of(taken.rest[1]), seconds(taken.rest[0]));
      co_return std::to_string(result);
    }
    if (name == "limit") {
      const int result =
          co_await magpie::wait_for(run(path, std::stoul(taken.rest[1])), seconds(taken.rest[0]));
      co_return std::to_string(result);
    }
    if (name == "gather") {
      const std::vector<int> results = co_await magpie::gather(tasks_from(taken, 0));
      std::string all;
      for (const int each : results) all += (all.empty() ? "" : " ") + std::to_string(each);
      co_return all;
    }
    if (name == "outcomes") {
      const auto outcomes =
          co_await magpie::gather(magpie::return_exceptions, tasks_from(taken, 0));
      std::string all;
      for (const auto& each : outcomes) {
        all += all.empty() ? "" : " ";
        const std::string outcome =
            each.has_value() ? std::to_string(each.value()) : words(each.error());
        all += outcome == "cancelled" ? "(cancelled)" : outcome;
      }
      co_return all;
    }
    if (name == "wait") co_return co_await wait(taken);
    if (name == "as_completed") co_return co_await as_completed(who, taken);
    co_return co_await group(std::move(path), taken);
  }

  task<std::string> wait(const step& taken) {
    const std::string& policy = taken.rest[0];
    const auto when = policy == "first"       ? magpie::until::first_completed
                      : policy == "exception" ? magpie::until::first_exception
                                              : magpie::until::all_completed;
    const std::vector<handle> watched = tasks_from(taken, 2);
    const auto [done, pending] = co_await magpie::wait(watched, when, limit_of(taken.rest[1]));
    std::string all;
    for (const handle& each : watched) {
      const bool is_done = std::find(done.begin(), done.end(), each) != done.end();
      all += (all.empty() ? "" : " ") + (is_done ? outcome_of(each) : "pending");
    }
    co_return all;
  }

  task<std::string> as_completed(const std::string& who, const step& taken) {
    auto finished = magpie::as_completed(tasks_from(taken, 1), limit_of(taken.rest[0]));
    while (const auto next = co_await finished.next()) {
      try {
        say(who, "next: " + std::to_string(next->result()));
      } catch (const failure&) {
        say(who, "next: " + words(std::current_exception()));
      }
    }
    co_return "all";
  }

  task<std::string> group(std::string path, const step& taken) {
    const auto spawn_and_sleep = [&](magpie::task_group& children) -> task<> {
      for (std::size_t i = 1; i < taken.rest.size(); ++i) {
        children.spawn(run(path + 'c' + std::to_string(i - 1), std::stoul(taken.rest[i])));
      }
      co_await magpie::sleep_for(seconds(taken.rest[0]));
    };
    co_await magpie::with_task_group(spawn_and_sleep);
    co_return "left";
  }

  task<> root() {
    try {
      co_await run("root", program_.root);
    } catch (...) {
      say("root", "ends: " + words(std::current_exception()));
    }
  }

  const program& program_;
  std::map<int, handle> tasks_;
  std::vector<line> lines_;
};

// The files.

body parsed(const std::string& text) {
  body steps;
  std::istringstream all(text);
  for (std::string one; std::getline(all, one, ';');) {
    std::istringstream list(one);
    step parsed_step;
    list >> parsed_step.name;
    for (std::string word; list >> word;) {
      if (std::string("?!^").find(word[0]) != std::string::npos) {
        parsed_step.mark = word;
      } else {
        parsed_step.rest.push_back(word);
      }
    }
    steps.push_back(std::move(parsed_step));
  }
  return steps;
}

std::vector<program> read_programs() {
  std::vector<program> all;
  std::ifstream file(MAGPIE_ASYNCIO_FOLDER "/scenarios.txt");
  for (std::string text; std::getline(file, text);) {
    if (text.rfind("program ", 0) == 0) {
      all.push_back({.root = std::stoul(text.substr(text.rfind(' '))), .bodies = {}});
    } else {
      all.back().bodies.push_back(parsed(text));
    }
  }
  return all;
}

std::vector<std::string> read_transcripts() {
  std::vector<std::string> all;
  std::ifstream file(MAGPIE_ASYNCIO_FOLDER "/transcripts.txt");
  for (std::string text; std::getline(file, text);) {
    if (text.rfind("program ", 0) == 0) {
      all.emplace_back();
    } else {
      all.back() += text + '\n';
    }
  }
  return all;
}

TEST(asyncio, sees_the_same_in_random_programs) {
  const std::vector<program> programs = read_programs();
  const std::vector<std::string> transcripts = read_transcripts();
  ASSERT_EQ(programs.size(), 200U);
  ASSERT_EQ(transcripts.size(), programs.size());
  for (std::size_t i = 0; i < programs.size(); ++i) {
    EXPECT_EQ(interpreter::transcript(programs[i]), transcripts[i]) << "program " << i;
  }
}

}  // namespace
