#pragma once

#include <string>
#include <string_view>

#include "console.hpp"

namespace treesum {

/// Standard output, in whole lines: however the program ends, no line is cut in two. For one
/// thread.
class output {
 public:
  /// `screen` is asked to clear the way when both are the same terminal.
  explicit output(console& screen);

  /// Takes a piece that is written whole or not at all.
  void add(std::string_view line);
  /// Writes what was taken. Waits for a slow reader, but after a request to stop not for one that
  /// does not read. A failure is kept for error() and is a request to stop.
  void flush();
  /// Writes what was taken and ends the output.
  void close();

  /// An errno value, or 0 when all went well.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  [[nodiscard]] bool wait_for_room();
  void fail(int error);

  console& screen_;
  bool to_terminal_;
  std::string lines_;
  int error_ = 0;
  /// The reader did not read while the program was to stop.
  bool stalled_ = false;
};

}  // namespace treesum
