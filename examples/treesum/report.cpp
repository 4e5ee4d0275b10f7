#include "report.hpp"

namespace treesum {

void ordered_report::add_ready(const catalogue& files) {
  for (; next_ < files.size(); ++next_) {
    const file_record& file = files.record(next_);
    const file_state state = file.state.load(std::memory_order_acquire);
    if (state == file_state::pending) return;
    if (state == file_state::hashed) to_.add(files.path(next_), file);
  }
}

void ordered_report::add_rest(const catalogue& files) {
  for (; next_ < files.size(); ++next_) {
    const file_record& file = files.record(next_);
    if (file.state.load(std::memory_order_acquire) == file_state::hashed)
      to_.add(files.path(next_), file);
  }
}

}  // namespace treesum
