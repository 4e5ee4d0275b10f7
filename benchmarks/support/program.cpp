#include "support/program.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace bench {

namespace {

[[nodiscard]] double read_scale() {
  const char* const text = std::getenv("MAGPIE_BENCH_SCALE");  // NOLINT(concurrency-mt-unsafe)
  if (text == nullptr || *text == '\0') return 1.0;
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  const bool in_range = value > 0.0 && value <= 1.0;  // false for a NaN
  if (*end != '\0' || !in_range) {
    std::fprintf(stderr, "MAGPIE_BENCH_SCALE is %s, and not a number in (0, 1]\n", text);
    std::_Exit(2);
  }
  return value;
}

[[noreturn]] void leave(int status) {
  // Not exit(): the pool under test may be in the middle of its work.
  std::fflush(nullptr);
  std::_Exit(status);
}

}  // namespace

double scale() {
  static const double value = read_scale();
  return value;
}

std::int64_t scaled(std::int64_t full, std::int64_t least) {
  return std::max(least,
                  static_cast<std::int64_t>(std::llround(static_cast<double>(full) * scale())));
}

nanoseconds scaled(nanoseconds full) { return nanoseconds(scaled(full.count())); }

unsigned steps_down(double factor) {
  // Less a little, so that a tenth is one step of ten whatever the logarithm rounds to.
  return static_cast<unsigned>(std::ceil(std::log(1.0 / scale()) / std::log(factor) - 1e-9));
}

void check(bool right, std::string_view what) {
  if (right) return;
  std::fprintf(stderr, "WRONG ANSWER: %.*s\n", static_cast<int>(what.size()), what.data());
  leave(1);
}

program::program(int argc, char** argv, std::string name)
    : name_(std::move(name)), executable_(argv[0]) {
  const std::string_view argument = argc == 3 ? argv[2] : "";
  const auto [end, error] =
      std::from_chars(argument.data(), argument.data() + argument.size(), workers_);
  if (argc != 3 || std::string_view(argv[1]) != "--workers" || error != std::errc() ||
      end != argument.data() + argument.size() || workers_ == 0) {
    std::fprintf(stderr, "usage: %s --workers N\n", executable_.c_str());
    leave(2);
  }
}

void program::has_one_worker() const {
  if (workers_ != 1) leave(77);
}

void program::add(std::string_view case_name, std::int64_t operations, warm_up before,
                  std::function<sample()> body) {
  std::string name = name_;
  if (!case_name.empty()) name.append("/").append(case_name);
  name += "/workers:" + std::to_string(workers_);
  const auto run = [operations, before, body = std::move(body)](benchmark::State& state) {
    if (before == warm_up::one_run) static_cast<void>(body());
    while (state.KeepRunningBatch(operations)) {
      const sample measured = body();
      state.SetIterationTime(std::chrono::duration<double>(measured.elapsed).count());
      for (const counter& each : measured.counters) state.counters[each.name] = each.value;
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(operations)->UseManualTime();
}

int program::run() {
  std::string format = "--benchmark_format=json";
  std::array<char*, 3> arguments{executable_.data(), format.data(), nullptr};
  int count = 2;
  benchmark::Initialize(&count, arguments.data());
  const std::size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ran == 0 ? 1 : 0;
}

double percentile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

}  // namespace bench
