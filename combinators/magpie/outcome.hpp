#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <iosfwd>
#include <magpie/detail/result_slot.hpp>
#include <magpie/errors.hpp>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace magpie {

namespace detail {

/// An outcome's value as it is stored: a reference as a pointer, void as nothing.
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

/// In words, for people: "error: ..." or "cancelled: ...".
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

inline bool is_cancellation(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace detail

/// How a task ended: with a value, with an exception, or cancelled. What gather() gives for each
/// child when it is asked to return exceptions. Copies share the exception. In asyncio: an element
/// of what `gather(..., return_exceptions=True)` gives, where values and exceptions are mixed.
template <class T>
class [[nodiscard]] outcome {
  using stored = typename detail::stored_value<T>::type;

 public:
  using value_type = T;

  /// A value made of the arguments; without arguments for void.
  template <class... Arguments>
    requires std::constructible_from<stored, Arguments...>
  explicit outcome(std::in_place_t, Arguments&&... arguments)
      : what_(std::in_place_index<0>, std::forward<Arguments>(arguments)...) {}

  /// An error, or a cancellation when the exception is `cancelled`. Not null.
  explicit outcome(std::exception_ptr error) noexcept
      : what_(std::in_place_index<1>, std::move(error)),
        is_cancelled_(detail::is_cancellation(std::get<1>(what_))) {}

  [[nodiscard]] bool has_value() const noexcept { return what_.index() == 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }

  /// It ended by `cancelled`.
  [[nodiscard]] bool cancelled() const noexcept { return is_cancelled_; }

  /// It ended by another exception.
  [[nodiscard]] bool failed() const noexcept { return !has_value() && !is_cancelled_; }

  /// The value; without one, throws the exception, be it `cancelled` or another.
  decltype(auto) value() const& { return get(*this); }
  decltype(auto) value() & { return get(*this); }
  T value() && {
    require_value();
    if constexpr (std::is_reference_v<T>) {
      return std::get<0>(what_).get();
    } else if constexpr (!std::is_void_v<T>) {
      return std::get<0>(std::move(what_));
    }
  }

  /// The exception, also when it is `cancelled`; null for a value.
  [[nodiscard]] std::exception_ptr error() const noexcept {
    return has_value() ? nullptr : std::get<1>(what_);
  }

  /// It has a value, which is equal to `expected`.
  template <class U>
    requires(!std::is_void_v<T> &&
             requires(const T& value, const U& expected) {
               { value == expected } -> std::convertible_to<bool>;
             })
  [[nodiscard]] bool operator==(const U& expected) const {
    return has_value() && value() == expected;
  }

  /// In words: the value, if it can be printed, "error: what() says" or "cancelled: the reason".
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
      return std::get<0>(self.what_).get();
    } else if constexpr (!std::is_void_v<T>) {
      return (std::get<0>(self.what_));
    }
  }

  void require_value() const {
    if (!has_value()) std::rethrow_exception(std::get<1>(what_));
  }

  std::variant<stored, std::exception_ptr> what_;
  bool is_cancelled_ = false;
};

/// Asks gather() to give an outcome for each child instead of throwing what the first one threw.
struct return_exceptions_t {
  explicit return_exceptions_t() = default;
};
inline constexpr return_exceptions_t return_exceptions{};

namespace detail {

/// What a combinator does with its children's failures.
enum class failures { thrown, returned };

/// What becomes of a child's result where all results are given together.
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
