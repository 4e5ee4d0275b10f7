#pragma once

#include <magpie/runtime.hpp>

namespace magpie::test {

/// Runs the task that `body` makes.
template <class Body>
void run(magpie::runtime& home, const Body& body) {
  home.block_on(body());
}

}  // namespace magpie::test
