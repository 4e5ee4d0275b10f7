#include "tree_sum.hpp"

#include <utility>

namespace treesum {
namespace {

class announce_end {
 public:
  explicit announce_end(completion& end) : end_(end) {}
  ~announce_end() { end_.set(); }

  announce_end(const announce_end&) = delete;
  announce_end& operator=(const announce_end&) = delete;

 private:
  completion& end_;
};

}  // namespace

magpie::task<> tree_sum::run(std::size_t workers) {
  const announce_end announcement(end_);
  std::vector<std::string> paths = co_await walk(roots_, measure_, found_, problems_);
  files_ = std::make_unique<catalogue>(std::move(paths));
  hashing_since_ = clock::now();
  published_.store(files_.get(), std::memory_order_release);
  co_await hash_files(*files_, workers, hashed_, problems_);
}

}  // namespace treesum
