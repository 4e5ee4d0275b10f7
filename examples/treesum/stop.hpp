#pragma once

#include <chrono>
#include <csignal>

namespace treesum {

/// True from the moment when the program was asked to stop. Cheap: ask between any two steps.
[[nodiscard]] bool stop_requested() noexcept;

/// The signal that asked, or 0 when none did.
[[nodiscard]] int stop_signal() noexcept;

/// Asks to stop for a reason of the program's own; a signal that came first stays the reason.
void request_stop() noexcept;

/// Makes SIGINT and SIGTERM requests to stop. From the first one on the process has
/// `time_to_stop`: should anything still hold it then (a read from a disk that does not answer, a
/// reader of the output that does not read), it leaves with the signal's exit code all the same.
/// Create one before any other thread.
class stop_on_signals {
 public:
  static constexpr std::chrono::milliseconds time_to_stop{90};

  stop_on_signals();

  stop_on_signals(const stop_on_signals&) = delete;
  stop_on_signals& operator=(const stop_on_signals&) = delete;
};

/// While it lives, threads created by this one will never be chosen to handle the stop signals, so
/// that the signals interrupt the system calls of the thread that waits for them, and no others.
class no_stop_signals_in_new_threads {
 public:
  no_stop_signals_in_new_threads();
  ~no_stop_signals_in_new_threads();

  no_stop_signals_in_new_threads(const no_stop_signals_in_new_threads&) = delete;
  no_stop_signals_in_new_threads& operator=(const no_stop_signals_in_new_threads&) = delete;

 private:
  sigset_t before_;
};

}  // namespace treesum
