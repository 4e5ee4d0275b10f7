#include "tree.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace treesum {
namespace {

// A folder's prefix ends in a slash, so it compares with the paths beside it as every path inside
// would: merging by prefix gives the order of the whole paths, and no sort of them all is needed.
void append_paths(directory& from, std::vector<std::string>& paths) {
  auto file = from.files.begin();
  for (const auto& below : from.directories) {
    const auto next = std::lower_bound(file, from.files.end(), below->prefix);
    paths.insert(paths.end(), std::move_iterator(file), std::move_iterator(next));
    file = next;
    append_paths(*below, paths);
  }
  paths.insert(paths.end(), std::move_iterator(file), std::move_iterator(from.files.end()));
}

}  // namespace

directory::directory(std::string path_as_found) : path(std::move(path_as_found)), prefix(path) {
  if (!prefix.ends_with('/')) prefix += '/';
}

void sort_entries(directory& listed) {
  std::sort(listed.files.begin(), listed.files.end());
  std::sort(listed.directories.begin(), listed.directories.end(),
            [](const auto& left, const auto& right) { return left->prefix < right->prefix; });
}

std::vector<std::string> sorted_paths(directory top) {
  std::vector<std::string> paths;
  sort_entries(top);
  append_paths(top, paths);
  // Places named twice, or one inside another, do not lie one behind the other.
  if (!std::is_sorted(paths.begin(), paths.end())) std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace treesum
