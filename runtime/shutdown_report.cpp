#include <magpie/shutdown_report.hpp>

namespace magpie {

std::string shutdown_report::text() const {
  std::string lines;
  for (const straggler& each : stragglers) {
    lines += "task \"" + each.name + "\": " + each.waiting_for + '\n';
  }
  if (blocking_calls != 0) {
    lines += "blocking calls that have not returned: " + std::to_string(blocking_calls) + '\n';
  }
  return lines;
}

}  // namespace magpie
