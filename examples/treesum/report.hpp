#pragma once

#include <cstddef>
#include <memory>

#include "catalogue.hpp"
#include "options.hpp"
#include "output.hpp"
#include "summary.hpp"

namespace treesum {

/// How the results are written.
class report {
 public:
  virtual ~report() = default;

  /// A hashed file; they come in the order of the catalogue.
  virtual void add(const std::string& path, const file_record& file) = 0;
  /// Nothing comes after it.
  virtual void end(const summary& run) = 0;
};

/// `<sha256>  <path>` lines, as sha256sum writes them.
[[nodiscard]] std::unique_ptr<report> make_text_report(output& out);
/// One JSON object with `files` and `summary`.
[[nodiscard]] std::unique_ptr<report> make_json_report(output& out);

/// Writes files as they get ready, in order.
class ordered_report {
 public:
  explicit ordered_report(report& to) : to_(to) {}

  /// All that is ready before the first file that is not.
  void add_ready(const catalogue& files);
  /// All that is ready, with gaps.
  void add_rest(const catalogue& files);

 private:
  report& to_;
  std::size_t next_ = 0;
};

}  // namespace treesum
