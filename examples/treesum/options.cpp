#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>
#include <span>
#include <string_view>

#include "printable.hpp"

namespace treesum {
namespace {

constexpr unsigned most_workers = 256;
constexpr int usage_error = 2;

class help_text : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: treesum [OPTIONS] [--] DIR...\n";
  }
};

/// 0 when the text is not a usable number of workers.
unsigned worker_count(const std::string& text) {
  unsigned value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool usable = error == std::errc{} && stop == end && value <= most_workers;
  return usable ? value : 0;
}

exit_code explain(std::string_view mistake) {
  std::cerr << "treesum: " << printable(mistake) << " (try: treesum --help)\n";
  return exit_code{usage_error};
}

}  // namespace

std::variant<options, exit_code> parse_options(int argument_count, const char* const* arguments) {
  const std::span all{arguments, static_cast<std::size_t>(argument_count)};
  const auto is_mark = [](std::string_view argument) { return argument == "--"; };
  const auto mark = std::find_if(all.begin(), all.end(), is_mark);

  CLI::App app{
      "Prints the SHA-256 of every regular file below each DIR, sorted by path: the lines of\n"
      "  find DIR... -type f | LC_ALL=C sort | xargs sha256sum\n"
      "DIR may also be a file. After \"--\" it may begin with a dash.",
      "treesum"};
  app.formatter(std::make_shared<help_text>());
  app.footer(
      "Exit code: 0; 1 after a problem (each is one line on standard error); 2 when the command\n"
      "line is wrong; 130 or 143 when stopped by SIGINT or SIGTERM.");
  std::string workers;
  app.add_option("--workers", workers, "how many workers hash (default: the cores it may use)")
      ->type_name("N")
      ->take_last();
  bool json = false;
  bool quiet = false;
  app.add_flag("--json", json, "print one JSON object, with sizes and times");
  app.add_flag("--quiet", quiet, "print neither progress nor summary");
  // The folders are what the parser leaves over: a positional option of its own would read names
  // such as "[a,b]" or "%%" as its notation for lists.
  app.allow_extras();

  std::vector<std::string> backwards(std::make_reverse_iterator(mark),
                                     std::make_reverse_iterator(all.begin() + 1));
  try {
    app.parse(std::move(backwards));
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help() << std::flush;
    return exit_code{0};
  } catch (const CLI::ArgumentMismatch&) {
    return explain("--workers: expected a number after it");
  } catch (const CLI::ConversionError& error) {
    return explain(std::string(error.what()) + ", expected no value after this option");
  } catch (const CLI::ParseError& error) {
    return explain(error.what());
  }

  options chosen;
  chosen.roots = app.remaining();
  for (const std::string& root : chosen.roots)
    if (root.size() > 1 && root.front() == '-')
      return explain("unknown option '" + root +
                     "': expected --workers N, --json, --quiet or --help");
  if (mark != all.end()) chosen.roots.insert(chosen.roots.end(), mark + 1, all.end());
  if (app.count("--workers") != 0) {
    chosen.workers = worker_count(workers);
    if (chosen.workers == 0)
      return explain("--workers: expected a whole number from 1 to " +
                     std::to_string(most_workers) + ", got '" + workers + "'");
  }
  if (chosen.roots.empty()) return explain("expected at least one DIR");
  if (json) chosen.format = output_format::json;
  if (quiet) chosen.talk = verbosity::quiet;
  return chosen;
}

}  // namespace treesum
