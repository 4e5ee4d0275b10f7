#pragma once

#include <cstdint>

#include "support/program.hpp"

namespace bench {

/// A node of the unbalanced tree: its state, which decides how many children it has.
struct uts_node {
  static constexpr unsigned children = 8;

  /// All nodes but the root: `children` of them, or none.
  [[nodiscard]] bool has_children() const noexcept { return state < 2'303'537'166'184'475'258U; }

  [[nodiscard]] uts_node child(unsigned number) const noexcept {
    return {mix(state + (number + 1) * gamma)};
  }

  std::uint64_t state;
};

/// The nodes of a tree below the root, `from` included, without any forks.
[[nodiscard]] inline std::uint64_t count_nodes(uts_node from) noexcept {
  std::uint64_t nodes = 1;
  if (from.has_children()) {
    for (unsigned i = 0; i < uts_node::children; ++i) nodes += count_nodes(from.child(i));
  }
  return nodes;
}

/// The tree of the kernel uts, and its answer.
struct uts_problem {
  uts_node root{mix(4 * gamma)};
  unsigned root_children = static_cast<unsigned>(scaled(2000, 2));
  std::uint64_t nodes = count();

  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t counted = 1;
    for (unsigned i = 0; i < root_children; ++i) counted += count_nodes(root.child(i));
    return counted;
  }

  void check_answer(std::uint64_t result) const { check(result == nodes, "uts"); }

  /// A run's report: its time, and the size of the tree.
  template <class Walk>
  [[nodiscard]] sample time(Walk walk) const {
    const auto begin = clock::now();
    const std::uint64_t result = walk();
    const auto end = clock::now();
    check_answer(result);
    return {end - begin, {{"nodes", static_cast<double>(nodes)}}};
  }
};

}  // namespace bench
