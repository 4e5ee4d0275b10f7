// What asyncio's users do with tasks, one stop after the other, in a virtual time: a minute and a
// half of sleeping takes some milliseconds. tour.py does the same in asyncio, and prints the same.
// `tour --real` takes its time, on all processors, and shows what the tasks wait for meanwhile.

#include "tour.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tour {

namespace {

magpie::time_point begin;

struct stop {
  std::string_view name;
  task<> (*run)();
};

constexpr std::array stops{
    stop{"create a task", create_a_task},
    stop{"ask for its status", ask_for_its_status},
    stop{"cancel a sleeping task", cancel_a_sleeping_task},
    stop{"clean up in the cancelled task", clean_up_in_the_cancelled_task},
    stop{"gather three", gather_three},
    stop{"gather with a failure", gather_with_a_failure},
    stop{"gather outcomes", gather_outcomes},
    stop{"gather ten", gather_ten},
    stop{"wait for all", wait_for_all},
    stop{"wait in three ways", wait_in_three_ways},
    stop{"wait with a limit", wait_with_a_limit},
    stop{"take them as completed", take_them_as_completed},
    stop{"take them as completed in time", take_them_as_completed_in_time},
    stop{"group three", group_three},
    stop{"group with a failure", group_with_a_failure},
    stop{"limit a task", limit_a_task},
    stop{"limit a spawned task", limit_a_spawned_task},
    stop{"race two servers", race_two_servers},
    stop{"retry three times", retry_three_times},
    stop{"limit how many run", limit_how_many_run},
    stop{"limit how many start", limit_how_many_start},
    stop{"run in batches", run_in_batches},
    stop{"run chains", run_chains},
    stop{"branch on the first", branch_on_the_first},
};

task<> run(std::vector<stop> some) {
  for (const stop& each : some) {
    std::printf("== %s\n", each.name.data());
    begin = magpie::now();
    co_await each.run();
  }
}

/// Prints a line for each live task, twice a second, until it is cancelled.
task<> watch(magpie::runtime& watched) {
  for (;;) {
    co_await magpie::sleep_for(500ms);
    for (const auto& each : watched.all_tasks()) {
      if (each.name() == "watch" || each.done()) continue;
      std::printf("        | %s: %s\n", each.name().c_str(), each.waiting_for().c_str());
    }
  }
}

}  // namespace

void say(const std::string& what) {
  const std::chrono::duration<double> passed = magpie::now() - begin;
  std::printf("%4.1f s  %s\n", passed.count(), what.c_str());
}

task<std::string> work(std::string name, magpie::duration delay) {
  co_await magpie::sleep_for(delay);
  co_return name + " is done";
}

task<std::string> fail(std::string name, magpie::duration delay) {
  co_await magpie::sleep_for(delay);
  throw std::runtime_error(name + " has failed");
}

task<std::string> serve(std::string name, magpie::duration delay) {
  try {
    std::string result = co_await work(name, delay);
    co_return result;
  } catch (const magpie::cancelled&) {
    say(name + " was cancelled");
    throw;
  }
}

}  // namespace tour

int main(int argument_count, char** arguments) {
  CLI::App app{"What asyncio's users do with tasks, one stop after the other.", "tour"};
  bool is_real = false;
  std::string name;
  app.add_flag("--real", is_real,
               "in real time, on all processors, with a line for each live task");
  app.add_option("--only", name, "this stop alone")->type_name("NAME");
  CLI11_PARSE(app, argument_count, arguments);

  std::vector<tour::stop> chosen;
  std::ranges::copy_if(tour::stops, std::back_inserter(chosen),
                       [&](const auto& each) { return name.empty() || each.name == name; });
  if (chosen.empty()) {
    std::fprintf(stderr, "tour: there is no stop '%s', but these:\n", name.c_str());
    for (const auto& each : tour::stops) std::fprintf(stderr, "  %s\n", each.name.data());
    return 2;
  }
  if (is_real) {
    magpie::runtime runtime;
    const auto watching = runtime.spawn(tour::watch(runtime), {.name = "watch"});
    runtime.block_on(tour::run(chosen));
    watching.cancel();
  } else {
    magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
    runtime.block_on(tour::run(chosen));
  }
}
