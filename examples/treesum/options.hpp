#pragma once

#include <string>
#include <variant>
#include <vector>

namespace treesum {

enum class output_format { text, json };
enum class verbosity { normal, quiet };

/// What the command line asked for.
struct options {
  std::vector<std::string> roots;
  /// 0 leaves the choice to the runtime.
  unsigned workers = 0;
  output_format format = output_format::text;
  verbosity talk = verbosity::normal;
};

/// The code to leave the program with, all output being done.
struct exit_code {
  int value;
};

/// Options, or the exit code after --help (0) or after a usage error (2), which has been explained
/// on standard error.
[[nodiscard]] std::variant<options, exit_code> parse_options(int argument_count,
                                                             const char* const* arguments);

}  // namespace treesum
