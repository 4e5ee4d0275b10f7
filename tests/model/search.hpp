#pragma once

#include <memory>

namespace magpie::model {

/// A program for the model checker, of at most five threads. One object is one execution: after
/// before(), which runs alone, thread(0) .. thread(n - 1) run interleaved, and after() alone again.
///
/// All threads are fibers of one thread, switched right before an operation of a type of
/// "relacy_sync.hpp" and nowhere else. So an ordinary member may serve the checks: what is written
/// right after an operation counts as part of it.
class program {
 public:
  program() = default;
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  virtual ~program() = default;

  virtual void before() {}
  virtual void thread(unsigned index) = 0;
  virtual void after() {}
};

enum class search {
  all,              // each execution that there is
  two_preemptions,  // each with at most two preemptions; to block or to end is none
  few_preemptions,  // the same where it takes minutes: with one, in a full run with two
  random            // some thousands, in a full run a million
};

/// Runs the executions of a program and says how many there were; MAGPIE_STRESS_SCALE=1 makes the
/// run a full one. The first execution that fails is printed and ends the process with status 1.
/// The same executions come at each run.
///
/// A load may see an older value than the last, where the memory orders allow it: in a random
/// search any of the last three, else one of the last two.
void run(const char* name, search kind, unsigned threads, std::unique_ptr<program> (*make)());

template <class Program>
void run(const char* name, search kind) {
  run(name, kind, Program::threads,
      []() -> std::unique_ptr<program> { return std::make_unique<Program>(); });
}

}  // namespace magpie::model
