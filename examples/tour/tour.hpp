#pragma once

#include <magpie/magpie.hpp>
#include <string>

// The stops of the tour, in order. Each has its like in tour.py.

namespace tour {

using namespace std::chrono_literals;
using magpie::task;

/// Prints it with the seconds since the stop began.
void say(const std::string& what);

// What the tasks of the tour do.

task<std::string> work(std::string name, magpie::duration delay);
task<std::string> fail(std::string name, magpie::duration delay);
/// Says so when it is cancelled.
task<std::string> serve(std::string name, magpie::duration delay);

// tasks.cpp

task<> create_a_task();
task<> ask_for_its_status();
task<> cancel_a_sleeping_task();
task<> clean_up_in_the_cancelled_task();

// gather.cpp

task<> gather_three();
task<> gather_with_a_failure();
task<> gather_outcomes();
task<> gather_ten();

// wait.cpp

task<> wait_for_all();
task<> wait_in_three_ways();
task<> wait_with_a_limit();

// as_completed.cpp

task<> take_them_as_completed();
task<> take_them_as_completed_in_time();

// groups.cpp

task<> group_three();
task<> group_with_a_failure();

// timeouts.cpp

task<> limit_a_task();
task<> limit_a_spawned_task();

// race.cpp

task<> race_two_servers();
task<> branch_on_the_first();

// retry.cpp

task<> retry_three_times();

// limits.cpp

task<> limit_how_many_run();
task<> limit_how_many_start();
task<> run_in_batches();

// chains.cpp

task<> run_chains();

}  // namespace tour
