#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/detail/join.hpp>
#include <utility>

namespace magpie::detail {

/// A join of any number of coroutines: a binary tree of joins over runs of a few adjacent ones. A
/// thief takes the oldest item of a lane, and so gets half of what is left.
class join_tree {
 public:
  /// Throws std::bad_alloc.
  explicit join_tree(std::size_t count);
  /// Before the start.
  join_tree(join_tree&& other) noexcept
      : count_(std::exchange(other.count_, 0)),
        joins_(std::exchange(other.joins_, nullptr)),
        pairs_(other.pairs_),
        frames_(other.frames_),
        topmost_(other.topmost_) {}
  ~join_tree();

  [[nodiscard]] std::size_t size() const noexcept { return count_; }

  /// Sets child number `index`. Returns the continuation that the child must have.
  [[nodiscard]] continuation attach(std::size_t index, std::coroutine_handle<> frame) noexcept;
  [[nodiscard]] std::coroutine_handle<> frame(std::size_t index) const noexcept {
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(frames_[index]));
  }

  /// For await_suspend of the parent, when all children are attached and there is at least one.
  /// Returns the first coroutine to resume. This object stays until the parent resumes.
  [[nodiscard]] std::coroutine_handle<> start(std::coroutine_handle<> parent) noexcept;

  /// Null when there are no children.
  [[nodiscard]] const join* topmost() const noexcept { return topmost_; }

 private:
  static constexpr std::size_t run_length = 16;

  [[nodiscard]] std::size_t runs() const noexcept { return (count_ + run_length - 1) / run_length; }
  [[nodiscard]] std::size_t join_count() const noexcept { return 2 * runs() - 1; }
  [[nodiscard]] std::size_t block_size() const noexcept;
  [[nodiscard]] join& halves(std::size_t begin, std::size_t end) noexcept;

  std::size_t count_;
  // One block for all below; null if there are no children. First a join for each run, then the
  // joins of two joins each, whose children are the pairs.
  join* joins_ = nullptr;
  std::uintptr_t* pairs_ = nullptr;
  // The frames of the children, in order.
  std::uintptr_t* frames_ = nullptr;
  join* topmost_ = nullptr;
};

}  // namespace magpie::detail
