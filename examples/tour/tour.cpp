// What asyncio's users do with tasks, one stop after the other, in a virtual time: a minute and a
// half of sleeping takes some milliseconds. tour.py does the same in asyncio, and prints the same.

#include "tour.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>

namespace tour {

namespace {

magpie::time_point begin;

struct stop {
  const char* name;
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

task<> run_all() {
  for (const stop& each : stops) {
    std::printf("== %s\n", each.name);
    begin = magpie::now();
    co_await each.run();
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

int main() {
  magpie::runtime runtime{{.workers = 0, .time = magpie::virtual_time}};
  runtime.block_on(tour::run_all());
}
