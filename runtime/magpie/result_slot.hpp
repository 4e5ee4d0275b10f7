#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace magpie::detail {

/// A place for a value that a coroutine fills at most once.
template <class T>
class result_slot {
 public:
  result_slot() noexcept {}
  result_slot(const result_slot&) = delete;
  result_slot& operator=(const result_slot&) = delete;
  ~result_slot() {
    if (filled_) value_.~T();
  }

  template <class U>
  void fill(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    ::new (static_cast<void*>(std::addressof(value_))) T(std::forward<U>(value));
    filled_ = true;
  }

  [[nodiscard]] T& get() noexcept { return value_; }

 private:
  union {
    T value_;
  };
  bool filled_ = false;
};

/// A result as it is stored: a reference as a pointer, void as nothing.
struct no_result {};
template <class T>
struct stored_result {
  using type = T;
};
template <class T>
struct stored_result<T&> {
  using type = T*;
};
template <>
struct stored_result<void> {
  using type = no_result;
};

}  // namespace magpie::detail
