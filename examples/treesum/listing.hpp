#pragma once

#include <string>
#include <vector>

#include "console.hpp"
#include "tree.hpp"
#include "walk.hpp"

namespace treesum {

/// Looks at the file system, blocking, one open folder at a time.
class lister {
 public:
  lister(sizes measure, walk_totals& totals, console& problems)
      : measure_(measure), totals_(totals), problems_(problems) {}

  /// Sorts a place named on the command line into the files or the folders of `top`.
  void add_root(const std::string& path, directory& top);

  /// Fills in what `place` holds.
  void list(directory& place);

 private:
  void add_entry(directory& place, int descriptor, const char* name, unsigned char type);
  void add_file(directory& place, std::string path, int descriptor, const char* name);

  sizes measure_;
  walk_totals& totals_;
  console& problems_;
};

}  // namespace treesum
