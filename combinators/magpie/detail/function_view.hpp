#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace magpie {

template <class Signature>
class function_view;

/// Refers to something that can be called, or to nothing. It does not own it. The target is a
/// function, a lambda without captures, or any other function object that has a name and outlives
/// the view. Trivial to copy and to destroy, so that a struct of options may have it as a member
/// (tests/toolchain/README.md).
template <class Result, class... Arguments>
class function_view<Result(Arguments...)> {
  using function = Result (*)(Arguments...);

 public:
  function_view() noexcept = default;

  template <class Callable>
    requires(!std::is_same_v<std::remove_cvref_t<Callable>, function_view> &&
             std::is_invocable_r_v<Result, Callable&, Arguments...> &&
             (std::is_convertible_v<Callable, function> || std::is_lvalue_reference_v<Callable>))
  function_view(Callable&& target) noexcept {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_convertible_v<Callable, function>) {
      target_.plain = target;
      call_ = [](place called, Arguments... arguments) -> Result {
        return called.plain(std::forward<Arguments>(arguments)...);
      };
    } else {
      using object = std::remove_reference_t<Callable>;
      target_.object = const_cast<void*>(static_cast<const void*>(std::addressof(target)));
      call_ = [](place called, Arguments... arguments) -> Result {
        return (*static_cast<object*>(called.object))(std::forward<Arguments>(arguments)...);
      };
    }
  }

  explicit operator bool() const noexcept { return call_ != nullptr; }

  /// Calls the target. The view must not be empty.
  Result operator()(Arguments... arguments) const {
    return call_(target_, std::forward<Arguments>(arguments)...);
  }

 private:
  union place {
    void* object;
    function plain;
  };

  place target_{nullptr};
  Result (*call_)(place, Arguments...) = nullptr;
};

}  // namespace magpie
