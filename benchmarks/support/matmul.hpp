#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/program.hpp"

namespace bench {

/// A square part of a matrix: rows lie `stride` apart.
struct matrix_part {
  double* first;
  std::size_t stride;

  [[nodiscard]] double* row(std::size_t i) const noexcept { return first + i * stride; }

  /// The quarter that is 0 or 1 down and 0 or 1 to the right, of a part with `half` rows a quarter.
  [[nodiscard]] matrix_part quarter(std::size_t down, std::size_t right,
                                    std::size_t half) const noexcept {
    return {first + down * half * stride + right * half, stride};
  }
};

/// c += a * b.
struct product {
  static constexpr std::size_t leaf_side = 64;

  [[nodiscard]] bool is_leaf() const noexcept { return side <= leaf_side; }

  /// The product for one quarter of c, over the left half of a and the upper one of b (term 0), or
  /// the others (term 1). Those of one term are independent of each other.
  [[nodiscard]] product quarter(std::size_t number, std::size_t term) const noexcept {
    const std::size_t half = side / 2;
    const std::size_t down = number / 2;
    const std::size_t right = number % 2;
    return {c.quarter(down, right, half), a.quarter(down, term, half), b.quarter(term, right, half),
            half};
  }

  /// Not inline: in a coroutine it would be compiled to less than in a function, and the kernel
  /// measures the forks.
  [[gnu::noinline]] void compute_leaf() const noexcept {
    for (std::size_t i = 0; i < leaf_side; ++i) {
      double* const to = c.row(i);
      for (std::size_t k = 0; k < leaf_side; ++k) {
        const double factor = a.row(i)[k];
        const double* const from = b.row(k);
        for (std::size_t j = 0; j < leaf_side; ++j) to[j] += factor * from[j];
      }
    }
  }

  matrix_part c;
  matrix_part a;
  matrix_part b;
  std::size_t side;
};

/// The matrices of the kernel matmul. All their entries are small whole numbers, so that every sum
/// is exact in any order.
class matmul_problem {
 public:
  matmul_problem() {
    for (std::size_t i = 0; i < side_; ++i) {
      for (std::size_t j = 0; j < side_; ++j) {
        a_[i * side_ + j] = static_cast<double>((7 * i + 3 * j) % 11) - 5;
        b_[i * side_ + j] = static_cast<double>((5 * i + 2 * j) % 13) - 6;
      }
    }
  }

  [[nodiscard]] product whole() noexcept {
    return {{c_.data(), side_}, {a_.data(), side_}, {b_.data(), side_}, side_};
  }

  /// Times one product and checks it by a vector: c x = a (b x).
  template <class Multiply>
  [[nodiscard]] sample time(Multiply multiply) {
    std::fill(c_.begin(), c_.end(), 0.0);
    const auto begin = clock::now();
    multiply(whole());
    const auto end = clock::now();
    std::vector<double> x(side_);
    for (std::size_t j = 0; j < side_; ++j) x[j] = static_cast<double>(j % 7) - 3;
    check(times(c_, x) == times(a_, times(b_, x)), "matmul");
    return {.elapsed = end - begin};
  }

 private:
  [[nodiscard]] std::vector<double> times(const std::vector<double>& matrix,
                                          const std::vector<double>& x) const {
    std::vector<double> result(side_);
    for (std::size_t i = 0; i < side_; ++i) {
      for (std::size_t j = 0; j < side_; ++j) result[i] += matrix[i * side_ + j] * x[j];
    }
    return result;
  }

  const std::size_t side_ = std::max<std::size_t>(128, 1024U >> std::min(3U, steps_down(8)));
  std::vector<double> a_ = std::vector<double>(side_ * side_);
  std::vector<double> b_ = std::vector<double>(side_ * side_);
  std::vector<double> c_ = std::vector<double>(side_ * side_);
};

}  // namespace bench
