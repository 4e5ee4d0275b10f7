#pragma once

#include <memory>
#include <string>
#include <vector>

namespace treesum {

/// A folder that was listed, or waits to be. Files and folders are sorted by the bytes of their
/// paths, as far as the listing has come.
struct directory {
  explicit directory(std::string path_as_found);

  /// As find would print it.
  std::string path;
  /// What the paths of all things inside begin with.
  std::string prefix;
  /// Paths, not names.
  std::vector<std::string> files;
  std::vector<std::unique_ptr<directory>> directories;
};

void sort_entries(directory& listed);

/// The paths of all files in and below these places, sorted by their bytes; `top` is no folder of
/// its own but holds what the command line named. Empties the tree.
[[nodiscard]] std::vector<std::string> sorted_paths(directory top);

}  // namespace treesum
