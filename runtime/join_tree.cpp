#include <magpie/detail/join_tree.hpp>

#include <algorithm>
#include <magpie/detail/frame_pool.hpp>
#include <new>

namespace magpie::detail {

std::size_t join_tree::block_size() const noexcept {
  return join_count() * sizeof(join) + (2 * (runs() - 1) + count_) * sizeof(std::uintptr_t);
}

join_tree::join_tree(std::size_t count) : count_(count) {
  if (count == 0) return;
  joins_ = static_cast<join*>(allocate_frame(block_size()));
  for (std::size_t i = 0; i < join_count(); ++i) ::new (&joins_[i]) join;
  pairs_ = reinterpret_cast<std::uintptr_t*>(joins_ + join_count());
  frames_ = pairs_ + 2 * (runs() - 1);
  for (std::size_t i = 0; i < runs(); ++i) {
    const std::size_t begin = i * run_length;
    const std::size_t length = std::min(run_length, count - begin);
    joins_[i].set_children(frames_ + begin, static_cast<std::uint32_t>(length));
  }
  topmost_ = &halves(0, runs());
}

join_tree::~join_tree() {
  if (joins_ != nullptr) free_frame(joins_, block_size());
}

/// Returns the join of the runs [begin, end). A join of two halves lies in joins_ behind the joins
/// of all runs. The number of the first run of its second half gives its place, so no two have the
/// same.
join& join_tree::halves(std::size_t begin, std::size_t end) noexcept {
  if (end - begin == 1) return joins_[begin];
  const std::size_t middle = begin + (end - begin) / 2;
  const std::size_t place = middle - 1;
  join& both = joins_[runs() + place];
  std::uintptr_t* const pair = pairs_ + 2 * place;
  both.set_children(pair, 2);
  join* const below[] = {&halves(begin, middle), &halves(middle, end)};
  for (std::uint32_t which = 0; which < 2; ++which) {
    pair[which] = join::child_join(*below[which]);
    below[which]->set_parent(both.continuation_of(which));
  }
  return both;
}

continuation join_tree::attach(std::size_t index, std::coroutine_handle<> frame) noexcept {
  frames_[index] = join::child_frame(frame);
  return joins_[index / run_length].continuation_of(static_cast<std::uint32_t>(index % run_length));
}

std::coroutine_handle<> join_tree::start(std::coroutine_handle<> parent) noexcept {
  topmost_->set_parent(continuation(parent));
  return join::start_below(*topmost_, worker::here());
}

}  // namespace magpie::detail
