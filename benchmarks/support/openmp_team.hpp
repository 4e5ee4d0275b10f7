#pragma once

#include <cstddef>

namespace bench {

/// Calls `function` on one thread of a team of `workers`; the others run the tasks that it makes.
template <class Function>
auto in_openmp_team(std::size_t workers, Function function) {
  const int threads = static_cast<int>(workers);
  decltype(function()) result{};
#pragma omp parallel num_threads(threads)
#pragma omp single
  result = function();
  return result;
}

}  // namespace bench
