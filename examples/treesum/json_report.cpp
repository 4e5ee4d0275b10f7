#include <nlohmann/json.hpp>
#include <string>

#include "printable.hpp"
#include "report.hpp"

namespace treesum {
namespace {

using json = nlohmann::ordered_json;

double milliseconds(std::chrono::duration<double, std::milli> time) { return time.count(); }

std::string on_one_line(const json& value) {
  // JSON is UTF-8; what is not becomes U+FFFD.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json describe(const summary& run) {
  json text;
  text["files"] = run.files;
  text["bytes"] = run.bytes;
  text["problems"] = run.problems;
  text["stopped_by"] = run.stop_signal == 0 ? json(nullptr) : json(signal_name(run.stop_signal));
  text["milliseconds"] = {{"walk", milliseconds(run.walk)},
                          {"hash", milliseconds(run.hash)},
                          {"total", milliseconds(run.total())}};
  text["megabytes_per_second"] = run.bytes_per_second() / 1e6;
  text["busy_shares"] = run.busy_shares;
  return text;
}

/// Each file is one line, so that neither this program nor a reader needs them all in memory.
class json_report final : public report {
 public:
  explicit json_report(output& out) : out_(out) {}

  void add(const std::string& path, const file_record& file) override {
    json text;
    text["path"] = path;
    if (!is_valid_utf8(path)) text["path_hex"] = hexadecimal(path);
    text["sha256"] = hexadecimal({reinterpret_cast<const char*>(file.sum.data()), file.sum.size()});
    text["bytes"] = file.bytes;
    text["milliseconds"] = milliseconds(file.time);
    out_.add(separator_ + on_one_line(text));
    separator_ = ",\n";
  }

  void end(const summary& run) override {
    if (separator_ == opening) out_.add(opening);
    out_.add("\n],\n\"summary\": " + on_one_line(describe(run)) + "}\n");
  }

 private:
  static constexpr const char* opening = "{\"files\": [\n";

  output& out_;
  // What stands before the next file.
  std::string separator_ = opening;
};

}  // namespace

std::unique_ptr<report> make_json_report(output& out) { return std::make_unique<json_report>(out); }

}  // namespace treesum
