#include "walk.hpp"

#include <chrono>
#include <iterator>
#include <magpie/gather.hpp>
#include <magpie/run_blocking.hpp>
#include <utility>

#include "listing.hpp"
#include "stop.hpp"
#include "tree.hpp"

namespace treesum {
namespace {

using namespace std::chrono_literals;

using directories = std::vector<directory*>;

// Handing a call to another thread costs some 10 us: long against listing one small folder, short
// against this. What a call leaves over after its slice becomes work for others, so folders that
// are slow to list (not in memory, on another machine) spread at once.
constexpr auto listing_slice = 1ms;

/// Lists the folders and what appears below them for one slice; returns those still to be listed.
directories list_for_one_slice(lister& file_system, directories waiting) {
  const auto end = std::chrono::steady_clock::now() + listing_slice;
  while (!waiting.empty() && !stop_requested()) {
    directory& place = *waiting.back();
    waiting.pop_back();
    file_system.list(place);
    for (const auto& below : place.directories) waiting.push_back(below.get());
    if (std::chrono::steady_clock::now() >= end) return waiting;
  }
  return {};
}

magpie::task<> list_all(lister& file_system, directories waiting) {
  auto list = [&] { return list_for_one_slice(file_system, std::move(waiting)); };
  directories left = co_await magpie::run_blocking(list);
  if (left.empty()) co_return;

  const auto middle = left.begin() + std::ssize(left) / 2;
  std::vector<magpie::task<>> halves;
  if (middle != left.begin())
    halves.push_back(list_all(file_system, directories(left.begin(), middle)));
  halves.push_back(list_all(file_system, directories(middle, left.end())));
  co_await magpie::gather(std::move(halves));
}

}  // namespace

magpie::task<std::vector<std::string>> walk(const std::vector<std::string>& roots, sizes measure,
                                            walk_totals& totals, console& problems) {
  lister file_system(measure, totals, problems);
  directory top("");
  auto look_at_roots = [&] {
    for (const std::string& root : roots)
      if (!stop_requested()) file_system.add_root(root, top);
  };
  co_await magpie::run_blocking(look_at_roots);

  directories waiting;
  for (const auto& root : top.directories) waiting.push_back(root.get());
  co_await list_all(file_system, std::move(waiting));
  // Sorting what nobody will hash would only delay the end.
  if (stop_requested()) co_return std::vector<std::string>{};
  co_return sorted_paths(std::move(top));
}

}  // namespace treesum
