// Tries every form in a process of its own and compares what it did with expected.txt. See
// README.md in this folder for what to do when the two differ.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "toolchain/forms.hpp"
#include "toolchain/minimal_task.hpp"

namespace canary {
namespace {

#if defined(__clang__)
constexpr std::string_view compiler_family = "clang";
constexpr int compiler_major = __clang_major__;
#else
constexpr std::string_view compiler_family = "g++";
constexpr int compiler_major = __GNUC__;
#endif

std::string this_compiler() {
  return std::string(compiler_family) + "-" + std::to_string(compiler_major);
}

struct observation {
  std::string outcome;  // right, wrong, crash or rejected
  std::string detail;
};

// ---- child processes ------------------------------------------------------------------------

// A form that crashes is an observation, not an incident: no core file, no endless loop, and a
// stack that overflows soon even where the shell's limit is infinite.
void confine_this_process(std::FILE* diagnostics) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_DUMPABLE, 0);
  rlimit stack{};
  getrlimit(RLIMIT_STACK, &stack);
  constexpr rlim_t stack_bytes = 8 << 20;
  if (stack.rlim_cur > stack_bytes) {
    stack.rlim_cur = stack_bytes;
    setrlimit(RLIMIT_STACK, &stack);
  }
  constexpr unsigned seconds_before_a_form_counts_as_hung = 60;
  alarm(seconds_before_a_form_counts_as_hung);
  dup2(fileno(diagnostics), STDERR_FILENO);
}

std::string read_from_start(std::FILE* file) {
  std::string text;
  std::array<char, 4096> part{};
  std::rewind(file);
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), file)) {
    text.append(part.data(), got);
  }
  return text;
}

struct child_end {
  int status = 0;
  std::string diagnostics;
};

child_end run_in_child(const std::function<int()>& work) {
  std::FILE* diagnostics = std::tmpfile();
  if (diagnostics == nullptr) throw std::runtime_error("cannot create a temporary file");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    confine_this_process(diagnostics);
    const int code = work();
    std::fflush(stderr);
    _exit(code);
  }
  child_end end;
  if (waitpid(child, &end.status, 0) != child) throw std::runtime_error("cannot wait for a child");
  end.diagnostics = read_from_start(diagnostics);
  std::fclose(diagnostics);
  return end;
}

int execute(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments.front(), arguments.data());
  std::perror(arguments.front());
  return EXIT_FAILURE;
}

observation observe(const child_end& end) {
  if (WIFSIGNALED(end.status)) {
    return {"crash", "signal " + std::to_string(WTERMSIG(end.status)) + "\n" + end.diagnostics};
  }
  const int code = WEXITSTATUS(end.status);
  // A form says nothing while it is right, so any word on stderr is a sanitizer's.
  if (code == exit_right && end.diagnostics.empty()) return {"right", ""};
  if (code == exit_right || code == exit_wrong) return {"wrong", end.diagnostics};
  return {"crash", "exit code " + std::to_string(code) + "\n" + end.diagnostics};
}

observation try_form(const form& tried) {
  return observe(run_in_child([&] {
    tried.run();
    return judge();
  }));
}

// Always optimised alike and never under a sanitizer, so that these outcomes are the same in every
// build.
observation try_source(const std::filesystem::path& source, const std::filesystem::path& scratch) {
  const std::string program = scratch / source.stem();
  const child_end compilation = run_in_child([&] {
    return execute({MAGPIE_CANARY_COMPILER, "-std=c++20", "-O2", "-foptimize-sibling-calls",
                    "-iquote", MAGPIE_CANARY_INCLUDES, source, "-o", program, "-pthread"});
  });
  if (compilation.status != 0) return {"rejected", compilation.diagnostics};
  return observe(run_in_child([&] { return execute({program}); }));
}

class scratch_folder {
 public:
  scratch_folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "toolchain_canary_XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create " + pattern);
    path_ = pattern;
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// ---- what is seen and what is expected ------------------------------------------------------

std::vector<form> all_forms() {
  std::vector<form> forms;
  for (const auto part :
       {condition_forms(), expression_forms(), lifetime_forms(), start_forms(), flow_forms()}) {
    forms.insert(forms.end(), part.begin(), part.end());
  }
  return forms;
}

std::map<std::string, observation> observe_everything() {
  std::map<std::string, observation> seen;
  const auto add = [&](const std::string& name, observation observed) {
    const bool added = seen.emplace(name, std::move(observed)).second;
    if (!added) throw std::runtime_error("two forms are called " + name);
  };
  for (const form& each : all_forms()) add(each.name, try_form(each));
  const scratch_folder scratch;
  for (const auto& entry : std::filesystem::directory_iterator(MAGPIE_CANARY_SOURCES)) {
    add(entry.path().stem(), try_source(entry.path(), scratch.path()));
  }
  return seen;
}

// The library avoids every form that a listed compiler gets wrong. So a compiler without a column
// may do as it likes there; what all listed compilers do right, it has to do right too.
struct expectations {
  bool compiler_is_listed = false;
  std::map<std::string, std::string> outcome_of;
};

constexpr std::string_view anything = "anything";

std::vector<std::string> cells_of(const std::string& line) {
  std::istringstream words(line.substr(0, line.find('#')));
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

expectations read_expectations(const std::string& compiler) {
  std::ifstream file(MAGPIE_CANARY_EXPECTED);
  if (!file) throw std::runtime_error("cannot read " MAGPIE_CANARY_EXPECTED);
  expectations expected;
  std::vector<std::string> header;
  std::size_t column = 0;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.empty()) continue;
    if (header.empty()) {
      header = cells;
      const auto found = std::find(header.begin() + 1, header.end(), compiler);
      expected.compiler_is_listed = found != header.end();
      column = static_cast<std::size_t>(found - header.begin());
      continue;
    }
    if (cells.size() != header.size()) throw std::runtime_error("wrong number of cells: " + line);
    const bool right_for_all = std::count(cells.begin() + 1, cells.end(), "right") ==
                               static_cast<std::ptrdiff_t>(cells.size() - 1);
    const std::string unlisted(right_for_all ? "right" : anything);
    expected.outcome_of[cells[0]] = expected.compiler_is_listed ? cells[column] : unlisted;
  }
  return expected;
}

int compare_with_expectations() {
  const std::string compiler = this_compiler();
  const expectations expected = read_expectations(compiler);
  const std::map<std::string, observation> seen = observe_everything();
  std::vector<std::string> differences;

  for (const auto& [name, observed] : seen) {
    std::printf("%-34s %s\n", name.c_str(), observed.outcome.c_str());
    const auto found = expected.outcome_of.find(name);
    if (found == expected.outcome_of.end()) {
      differences.push_back(name + ": " + observed.outcome + ", but expected.txt has no such form");
    } else if (found->second != anything && found->second != observed.outcome) {
      differences.push_back(name + ": expected " + found->second + ", seen " + observed.outcome +
                            "\n    " + observed.detail);
    }
  }
  for (const auto& [name, outcome] : expected.outcome_of) {
    if (!seen.contains(name)) {
      differences.push_back(name + ": in expected.txt, but no such form was tried");
    }
  }

  std::printf("\n%zu forms, compiler %s (%s)\n", seen.size(), compiler.c_str(), __VERSION__);
  if (!expected.compiler_is_listed) {
    std::printf(
        "expected.txt has no column for this compiler: only the forms that every listed compiler\n"
        "does right were demanded of it.\n");
  }
  if (differences.empty()) {
    std::printf("Every form did what is expected.\n");
    return EXIT_SUCCESS;
  }
  std::printf("%zu differences:\n", differences.size());
  for (const std::string& each : differences) std::printf("  %s\n", each.c_str());
  std::printf(
      "The compiler or its flags are not those that expected.txt was written for.\n"
      "  right -> anything else: the library may be using this form. Do not edit the list first:\n"
      "    search the code for the form; it goes, or the compiler does.\n"
      "  anything else -> right: a fault was repaired. Edit the list.\n"
      "tests/toolchain/README.md says more, and how to run one form in a debugger.\n");
  return EXIT_FAILURE;
}

// ---- the driver on trial --------------------------------------------------------------------

struct storage {
  alignas(counted) unsigned char bytes[sizeof(counted)];
};

void nothing_wrong() { counted value(1); }
void false_statement() { expect(false, "on purpose"); }
void destroyed_twice() {
  storage place;
  auto* value = new (&place) counted(1);
  value->~counted();
  asm volatile("" : : "r"(value) : "memory");  // g++ would see the second one coming and warn
  value->~counted();
}
void never_destroyed() {
  storage place;
  new (&place) counted(1);
}
void copied_bitwise() {
  storage place;
  storage other;
  new (&place) counted(1);
  other = place;
  std::launder(reinterpret_cast<counted*>(&other))->~counted();
}
void frame_never_freed() { counted_frame::operator new(1); }
void says_something() { std::fputs("a sanitizer's report\n", stderr); }
void segmentation_fault() { std::raise(SIGSEGV); }
void aborts() { std::abort(); }
void exits() { std::exit(EXIT_SUCCESS); }

// On a compiler without faults every form is right, and a driver that always said so would pass.
int check_the_driver() {
  struct probe {
    form tried;
    std::string_view outcome;
  };
  constexpr probe probes[] = {
      {{"nothing_wrong", nothing_wrong}, "right"},
      {{"false_statement", false_statement}, "wrong"},
      {{"destroyed_twice", destroyed_twice}, "wrong"},
      {{"never_destroyed", never_destroyed}, "wrong"},
      {{"copied_bitwise", copied_bitwise}, "wrong"},
      {{"frame_never_freed", frame_never_freed}, "wrong"},
      {{"says_something", says_something}, "wrong"},
      {{"segmentation_fault", segmentation_fault}, "crash"},
      {{"aborts", aborts}, "crash"},
      {{"exits", exits}, "crash"},
  };
  int result = EXIT_SUCCESS;
  for (const probe& each : probes) {
    const observation observed = try_form(each.tried);
    const bool holds = observed.outcome == each.outcome;
    std::printf("%-18s %s%s\n", each.tried.name, observed.outcome.c_str(), holds ? "" : "  <- NOT");
    if (!holds) result = EXIT_FAILURE;
  }
  return result;
}

int run_here(std::string_view name) {
  for (const form& each : all_forms()) {
    if (each.name != name) continue;
    each.run();
    return judge();
  }
  std::fprintf(stderr, "no such form\n");
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace canary

int main(int count, char** arguments) {
  const std::string_view what = count > 1 ? arguments[1] : "";
  if (what == "--check-the-driver") return canary::check_the_driver();
  if (!what.empty()) return canary::run_here(what);
  return canary::compare_with_expectations();
}
