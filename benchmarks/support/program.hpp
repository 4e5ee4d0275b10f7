#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// What the benchmark programs have in common. README.md describes the protocol.
namespace bench {

using clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

/// MAGPIE_BENCH_SCALE: the part of the full size to do, in (0, 1].
[[nodiscard]] double scale();

/// `full` times the scale, at least `least`.
[[nodiscard]] std::int64_t scaled(std::int64_t full, std::int64_t least = 1);

/// How often work has to be divided by `factor` until it is at most the scale's part of the full.
[[nodiscard]] unsigned steps_down(double factor);

/// The full duration of a phase, times the scale.
[[nodiscard]] nanoseconds scaled(nanoseconds full);

/// Ends the program with status 1 when the answer is wrong.
void check(bool right, std::string_view what);

struct counter {
  const char* name;
  double value;
};

/// One run of a kernel that times itself.
struct sample {
  nanoseconds elapsed{};
  std::vector<counter> counters{};
};

enum class warm_up { none, one_run };

/// One program: one kernel, one rival, one number of workers, and one or more cases, each a Google
/// Benchmark of as many iterations as the kernel has operations, all of them in one run.
class program {
 public:
  /// `name` is "<kernel>/<rival>". Ends the process with status 2 when the arguments are wrong.
  program(int argc, char** argv, std::string name);

  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }

  /// Ends the process with status 77 when it is asked for more workers than one.
  void has_one_worker() const;

  /// Adds a case. `body` is one run of the kernel; it returns nothing, and is timed, or a sample.
  template <class Body>
  void measure(std::int64_t operations, warm_up before, Body body) {
    measure({}, operations, before, std::move(body));
  }

  template <class Body>
  void measure(std::string_view case_name, std::int64_t operations, warm_up before, Body body) {
    add(case_name, operations, before, [body = std::move(body)]() mutable -> sample {
      if constexpr (std::is_void_v<std::invoke_result_t<Body&>>) {
        const auto begin = clock::now();
        body();
        return {.elapsed = clock::now() - begin};
      } else {
        return body();
      }
    });
  }

  /// Runs the cases in order and prints the report. Returns the exit status.
  [[nodiscard]] int run();

 private:
  void add(std::string_view case_name, std::int64_t operations, warm_up before,
           std::function<sample()> body);

  std::string name_;
  std::string executable_;
  std::size_t workers_ = 1;
};

/// A kernel without cases: `body` is one run, timed after a warm-up.
template <class Body>
[[nodiscard]] int measure(program& measured, std::int64_t operations, Body body) {
  measured.measure(operations, warm_up::one_run, std::move(body));
  return measured.run();
}

/// `part` of the values are at most the one returned. Sorts them; there is at least one.
[[nodiscard]] double percentile(std::vector<double>& values, double part);

[[nodiscard]] inline double microseconds(nanoseconds time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

/// splitmix64's finaliser, and the constant it goes with.
constexpr std::uint64_t gamma = 0x9e37'79b9'7f4a'7c15;

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t bits) noexcept {
  bits ^= bits >> 30U;
  bits *= 0xbf58'476d'1ce4'e5b9;
  bits ^= bits >> 27U;
  bits *= 0x94d0'49bb'1331'11eb;
  return bits ^ (bits >> 31U);
}

}  // namespace bench
