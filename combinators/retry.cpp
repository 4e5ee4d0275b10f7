#include <magpie/retry.hpp>

#include <algorithm>
#include <cmath>
#include <random>

namespace magpie {

namespace {

/// Returns the next number of a pseudorandom sequence: SplitMix64 (G. Steele, D. Lea and C. Flood,
/// Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
std::uint64_t next_random(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31);
}

/// Returns a seed that differs in each process and for each call.
std::uint64_t fresh_seed() {
  static const std::uint64_t of_process =
      (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  // A count that only grows. It orders nothing.
  static std::atomic<std::uint64_t> calls{0};
  std::uint64_t seed = of_process + calls.fetch_add(1, std::memory_order_relaxed);
  return next_random(seed);
}

/// Maps `random` to a number from 0 up to `most`.
double share(double most, std::uint64_t random) noexcept {
  return most * (static_cast<double>(random) / 18446744073709551616.0);
}

}  // namespace

duration backoff_policy::pause_after(std::size_t failures, std::uint64_t random) const noexcept {
  using fine = std::chrono::duration<double, duration::period>;
  const double grown = fine(first_).count() * std::pow(factor_, static_cast<double>(failures) - 1);
  // Zero times infinity, or any other NaN, is no pause.
  const double whole = std::isnan(grown) ? 0 : std::min(grown, fine(cap_).count());
  switch (spread_) {
    case jitter::full:
      return detail::saturated(fine(share(whole, random)));
    case jitter::equal:
      return detail::saturated(fine(whole / 2 + share(whole / 2, random)));
    case jitter::none:
      break;
  }
  return detail::saturated(fine(whole));
}

retry_budget::retry_budget(const limits& given) noexcept
    : price_(std::max<std::size_t>(given.calls_for_a_retry, 1)),
      most_(given.most * price_),
      saved_(most_) {}

std::size_t retry_budget::available() const noexcept {
  return saved_.load(std::memory_order_relaxed) / price_;
}

void retry_budget::pay_in() noexcept {
  std::size_t saved = saved_.load(std::memory_order_relaxed);
  while (saved < most_ &&
         !saved_.compare_exchange_weak(saved, saved + 1, std::memory_order_relaxed)) {
  }
}

bool retry_budget::try_take_out() noexcept {
  std::size_t saved = saved_.load(std::memory_order_relaxed);
  do {
    if (saved < price_) return false;
  } while (!saved_.compare_exchange_weak(saved, saved - price_, std::memory_order_relaxed));
  return true;
}

namespace detail {

retry_course::retry_course(const retry_options& options)
    : options_(options), deadline_(deadline_for(options.total)), random_(options.seed) {
  if (options.attempts == 0) throw_invalid_state("a retry to have at least one attempt");
  if (options.budget != nullptr) options.budget->pay_in();
}

duration retry_course::time_left() const noexcept {
  if (deadline_ == time_point::max()) return no_limit;
  return deadline_ == long_ago ? duration::zero() : std::max(deadline_ - now(), duration::zero());
}

duration retry_course::limit() const noexcept { return std::min(options_.timeout, time_left()); }

std::optional<duration> retry_course::after(const std::exception_ptr& failure) {
  ++failures_;
  const std::optional<duration> pause = next_pause(failure);
  if (options_.on_retry) options_.on_retry({failures_, failure, pause});
  return pause;
}

/// The budget comes last, so that only a retry that will be made takes something out.
std::optional<duration> retry_course::next_pause(const std::exception_ptr& failure) {
  if (failures_ >= options_.attempts) return std::nullopt;
  if (options_.when && !options_.when(failure)) return std::nullopt;
  if (failures_ == 1 && options_.seed == 0) random_ = fresh_seed();
  const duration pause = options_.backoff.pause_after(failures_, next_random(random_));
  if (pause >= time_left() && deadline_ != time_point::max()) return std::nullopt;
  if (options_.budget != nullptr && !options_.budget->try_take_out()) return std::nullopt;
  return pause;
}

}  // namespace detail

}  // namespace magpie
