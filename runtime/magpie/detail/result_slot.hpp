#pragma once

#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>

namespace magpie::detail {

/// Makes the value as a return statement does. Converts a number of another type explicitly, so
/// that the compiler does not warn in this header.
template <class T, class U>
void fill_place(T& place, U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
  auto* const memory = static_cast<void*>(std::addressof(place));
  if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<std::remove_cvref_t<U>>) {
    ::new (memory) T(static_cast<T>(value));
  } else {
    ::new (memory) T(std::forward<U>(value));
  }
}

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
    fill_place(value_, std::forward<U>(value));
    filled_ = true;
  }

  [[nodiscard]] T& get() noexcept { return value_; }

 private:
  union {
    T value_;
  };
  bool filled_ = false;
};

/// A value without a destructor needs no mark of whether it is there.
template <class T>
  requires std::is_trivially_destructible_v<T>
class result_slot<T> {
 public:
  result_slot() noexcept {}
  result_slot(const result_slot&) = delete;
  result_slot& operator=(const result_slot&) = delete;

  template <class U>
  void fill(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    fill_place(value_, std::forward<U>(value));
  }

  [[nodiscard]] T& get() noexcept { return value_; }

 private:
  union {
    T value_;
  };
};

/// A result as an element of a tuple of results: std::monostate for void.
template <class T>
using tuple_result = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

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
