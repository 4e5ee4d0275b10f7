#pragma once

#include <cstdint>
#include <functional>
#include <magpie/runtime.hpp>
#include <magpie/scheduler.hpp>
#include <magpie/worker.hpp>

#include "runtime/blocking_pool.hpp"
#include "runtime/registry.hpp"

namespace magpie::detail {

/// What a runtime consists of. The order is that of dependence: the blocking pool's threads submit
/// to the scheduler, so they are joined first.
class runtime_core {
 public:
  explicit runtime_core(const runtime_options& settings);

  /// Wakes the sleepers with `cancelled` and runs all tasks to their end.
  ~runtime_core();

  runtime_core(const runtime_core&) = delete;
  runtime_core& operator=(const runtime_core&) = delete;

  [[nodiscard]] static runtime_core& of(const worker& here) noexcept {
    return *static_cast<runtime_core*>(here.home().owner());
  }

  /// Calls `visit` with the runtime of that identity, which will not end meanwhile; false when it
  /// has ended.
  static bool visit(std::uint64_t id, const std::function<void(runtime_core&)>& visit);

  /// The caller's worker, when it is one of this runtime's.
  [[nodiscard]] worker* worker_here() noexcept;

  const std::uint64_t id;  // never used again in this process
  const runtime_options options;
  registry tasks;
  scheduler jobs;
  blocking_pool blocking;
};

}  // namespace magpie::detail
