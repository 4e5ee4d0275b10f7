#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <iosfwd>
#include <magpie/detail/result_slot.hpp>
#include <magpie/errors.hpp>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace magpie {

namespace detail {

/// An outcome's value as it is stored: std::reference_wrapper for a reference, std::monostate for
/// void.
template <class T>
struct stored_value {
  using type = T;
};
template <class T>
struct stored_value<T&> {
  using type = std::reference_wrapper<T>;
};
template <>
struct stored_value<void> {
  using type = std::monostate;
};

/// Describes an error for people: "error: ..." or "cancelled: ...".
inline std::string describe_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const cancelled& stopped) {
    return stopped.reason().empty() ? "cancelled" : "cancelled: " + stopped.reason();
  } catch (const std::exception& failure) {
    return std::string("error: ") + failure.what();
  } catch (...) {
    return "error: not a std::exception";
  }
}

}  // namespace detail

/// How a task ended: with a value, with an exception, or cancelled. gather() with return_exceptions
/// gives one for each child. Copies share the exception. In asyncio: an element of the list that
/// `gather(..., return_exceptions=True)` gives, which mixes values and exceptions.
template <class T>
class [[nodiscard]] outcome {
  using stored = typename detail::stored_value<T>::type;

 public:
  using value_type = T;

  /// Holds a value made of the arguments; for void there are none.
  template <class... Arguments>
    requires std::constructible_from<stored, Arguments...>
  explicit outcome(std::in_place_t, Arguments&&... arguments)
      : value_(std::in_place, std::forward<Arguments>(arguments)...) {}

  /// Holds an error, or a cancellation if the exception is `cancelled`. `error` must not be null.
  explicit outcome(std::exception_ptr error) noexcept
      : error_(std::move(error)), is_cancelled_(detail::is_cancellation(error_)) {}

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  /// Whether the task ended by `cancelled`.
  [[nodiscard]] bool cancelled() const noexcept { return is_cancelled_; }

  /// Whether the task ended by another exception.
  [[nodiscard]] bool failed() const noexcept { return !has_value() && !is_cancelled_; }

  /// Returns the value. Without one, throws the exception, `cancelled` or another.
  decltype(auto) value() const& { return get(*this); }
  decltype(auto) value() & { return get(*this); }
  T value() && {
    require_value();
    if constexpr (std::is_reference_v<T>) {
      return value_->get();
    } else if constexpr (!std::is_void_v<T>) {
      return *std::move(value_);
    }
  }

  /// Returns the exception, `cancelled` or another; null for a value.
  [[nodiscard]] std::exception_ptr error() const noexcept { return error_; }

  /// Whether there is a value and it equals `expected`.
  template <class U>
    requires(!std::is_void_v<T> &&
             requires(const T& value, const U& expected) {
               { value == expected } -> std::convertible_to<bool>;
             })
  [[nodiscard]] bool operator==(const U& expected) const {
    return has_value() && value() == expected;
  }

  /// Prints the value, or "a value" if that cannot be printed; else "error: " and what(), or
  /// "cancelled: " and the reason.
  template <class Traits>
  friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& to,
                                                      const outcome& printed) {
    if (!printed.has_value()) return to << detail::describe_error(printed.error());
    if constexpr (requires(const T& value) { to << value; }) {
      return to << printed.value();
    } else {
      return to << "a value";
    }
  }

 private:
  template <class Self>
  static decltype(auto) get(Self& self) {
    self.require_value();
    if constexpr (std::is_reference_v<T>) {
      return self.value_->get();
    } else if constexpr (!std::is_void_v<T>) {
      return (*self.value_);
    }
  }

  void require_value() const {
    if (!has_value()) [[unlikely]]
      std::rethrow_exception(error_);
  }

  std::optional<stored> value_;
  std::exception_ptr error_;  // null if there is a value
  bool is_cancelled_ = false;
};

/// Has gather() give an outcome for each child instead of throwing the first failure.
struct return_exceptions_t {
  explicit return_exceptions_t() = default;
};
inline constexpr return_exceptions_t return_exceptions{};

namespace detail {

/// What a combinator does with the failures of its children.
enum class failures { thrown, returned };

/// The type of a child's result in a tuple or a vector of all results.
template <failures Are, class T>
struct collected_result {
  using in_tuple = outcome<T>;
  using in_vector = outcome<T>;
};
template <class T>
struct collected_result<failures::thrown, T> {
  using in_tuple = tuple_result<T>;
  using in_vector = std::conditional_t<std::is_reference_v<T>,
                                       std::reference_wrapper<std::remove_reference_t<T>>, T>;
};

}  // namespace detail

}  // namespace magpie
