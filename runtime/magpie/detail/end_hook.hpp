#pragma once

#include <coroutine>
#include <cstdint>
#include <magpie/detail/continuation.hpp>
#include <magpie/detail/failure_word.hpp>

namespace magpie::detail {

/// A step between the end of a coroutine and what follows: a scope is left, a contest hears of a
/// contender. Lives in what awaits the coroutine.
class end_hook {
 public:
  /// Called when the coroutine has ended; `failure` lies in its frame. Returns the coroutine to
  /// resume on this thread.
  [[nodiscard]] std::coroutine_handle<> ended(const failure_word& failure) noexcept {
    if (failure.knows_told()) note_told(failure.told());
    return when_ended_(*this, failure);
  }

  /// Returns what follows after this step.
  [[nodiscard]] const continuation& then() const noexcept { return then_; }

  /// Called when the coroutine ends, if its branch has been told of a request: the number of the
  /// last.
  void note_told(std::uint64_t number) noexcept { told_ = number; }

 protected:
  using end_function = std::coroutine_handle<> (*)(end_hook& self,
                                                   const failure_word& failure) noexcept;

  end_hook() noexcept = default;
  ~end_hook() = default;

  /// Before the coroutine starts.
  void set_hook(end_function when_ended, continuation then) noexcept {
    when_ended_ = when_ended;
    then_ = then;
  }
  /// Returns the number that was noted; 0 for none.
  [[nodiscard]] std::uint64_t noted_told() const noexcept { return told_; }

 private:
  end_function when_ended_ = nullptr;
  continuation then_;
  std::uint64_t told_ = 0;
};

}  // namespace magpie::detail
