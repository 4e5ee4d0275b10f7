// treesum DIR...: the SHA-256 of every regular file below the given folders, on all workers.
//
// The runtime's threads find and hash the files (tree_sum.hpp); this thread writes the results in
// order while they come, and is the one that the signals to stop interrupt.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <magpie/runtime.hpp>
#include <magpie/task_handle.hpp>
#include <memory>
#include <utility>
#include <variant>

#include "console.hpp"
#include "hash.hpp"
#include "options.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "stop.hpp"
#include "summary.hpp"
#include "tree_sum.hpp"

namespace treesum {
namespace {

using namespace std::chrono_literals;

constexpr auto writing_interval = 10ms;

// After a request to stop every step ends within a few milliseconds, unless a disk does not answer;
// then the results are written without it.
constexpr auto patience_when_stopped = 30ms;

/// A file opened under the number of a closed standard stream would get what is meant for it.
void occupy_closed_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(descriptor, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));
}

magpie::runtime make_runtime(const options& chosen) {
  const no_stop_signals_in_new_threads guard;
  magpie::runtime_options wanted;
  if (chosen.workers != 0) wanted.workers = chosen.workers;
  // Each blocking call has at most one folder open, and each lane at most one file.
  wanted.max_blocking_threads = most_open_files;
  return magpie::runtime(wanted);
}

magpie::task<> rethrow_failure(magpie::task_handle<void> job) { co_await job; }

int exit_code_of(const summary& run, const output& out) {
  // Asked again: a signal may have come while the output was written.
  if (stop_signal() != 0) return 128 + stop_signal();
  return run.problems != 0 || out.error() != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int run(const options& chosen) {
  const stop_on_signals signals;
  console messages;
  output out(messages);
  const auto results =
      chosen.format == output_format::json ? make_json_report(out) : make_text_report(out);
  ordered_report ordered(*results);
  const bool with_progress = chosen.talk == verbosity::normal && console::is_terminal();
  tree_sum job(chosen.roots, with_progress ? sizes::wanted : sizes::not_wanted, messages);

  magpie::runtime rt = make_runtime(chosen);
  const auto done = rt.spawn(job.run(rt.worker_count()), {.name = "treesum"});
  if (with_progress)
    static_cast<void>(rt.spawn(show_progress(job, messages), {.name = "progress"}));

  while (!job.wait_for_end(writing_interval) && !stop_requested()) {
    if (job.files() != nullptr) ordered.add_ready(*job.files());
    out.flush();
  }
  const bool ended = job.wait_for_end(patience_when_stopped);
  messages.end_progress();
  if (job.files() != nullptr) ordered.add_rest(*job.files());
  const summary figures = summarise(job, messages, rt);
  results->end(figures);
  out.close();
  if (out.error() != 0) messages.problem("standard output", "cannot write to it", out.error());
  if (chosen.talk == verbosity::normal) messages.line(summary_line(figures));

  const int code = exit_code_of(figures, out);
  // A thread that hangs in a system call could not be joined.
  if (!ended) std::_Exit(code);
  rt.block_on(rethrow_failure(done));
  return code;
}

}  // namespace
}  // namespace treesum

int main(int argument_count, char** arguments) {
  treesum::occupy_closed_standard_streams();
  try {
    const auto parsed = treesum::parse_options(argument_count, arguments);
    if (const auto* code = std::get_if<treesum::exit_code>(&parsed)) return code->value;
    return treesum::run(std::get<treesum::options>(parsed));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "treesum: %s\n", failure.what());
    return EXIT_FAILURE;
  }
}
