#include <string>
#include <string_view>

#include "printable.hpp"
#include "report.hpp"

namespace treesum {
namespace {

/// The path as GNU sha256sum writes it: only what would break the line is escaped.
std::string escape(const std::string& path) {
  std::string text;
  for (const char byte : path) {
    if (byte == '\\') {
      text += "\\\\";
    } else if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\r') {
      text += "\\r";
    } else {
      text += byte;
    }
  }
  return text;
}

class text_report final : public report {
 public:
  explicit text_report(output& out) : out_(out) {}

  void add(const std::string& path, const file_record& file) override {
    const bool escaped = path.find_first_of("\\\n\r") != std::string::npos;
    line_.clear();
    // A backslash before the digest tells the reader that the path is escaped.
    if (escaped) line_ += '\\';
    line_ += hexadecimal({reinterpret_cast<const char*>(file.sum.data()), file.sum.size()});
    line_ += "  ";
    line_ += escaped ? escape(path) : path;
    line_ += '\n';
    out_.add(line_);
  }

  void end(const summary&) override {}

 private:
  output& out_;
  std::string line_;
};

}  // namespace

std::unique_ptr<report> make_text_report(output& out) { return std::make_unique<text_report>(out); }

}  // namespace treesum
