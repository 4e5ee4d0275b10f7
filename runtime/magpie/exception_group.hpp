#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace magpie {

struct exception_split;

/// Several errors thrown as one: those of a task group, or of contenders that have all failed. One
/// error alone makes a group too. An error may be a group itself, so that the groups form a tree
/// whose leaves are what went wrong.
///
/// Copies share the errors and cost a reference count. What a group holds never changes, so any
/// thread may look at it; the exceptions themselves are shared as std::exception_ptr shares them.
/// In Python: `ExceptionGroup`, but there is no `except*`: use split().
class exception_group : public std::exception {
 public:
  /// Throws invalid_state if there is no error or a null among them, and std::bad_alloc.
  explicit exception_group(std::vector<std::exception_ptr> errors);

  /// Returns a text such as `2 errors: no route; (3 errors: late; late; no route)`. An exception
  /// that is not derived from std::exception appears as `cancelled`, with its reason, or as `an
  /// exception of unknown type`.
  [[nodiscard]] const char* what() const noexcept override;

  /// Returns the errors that the group holds, in the order that its maker gave; groups among them
  /// stay groups. The reference lives as long as this group or a copy.
  [[nodiscard]] const std::vector<std::exception_ptr>& exceptions() const noexcept;

  /// Calls `visit(error)`, in order, with each error that is no group, in this group and in those
  /// within it. What `visit` throws goes to the caller.
  void for_each_leaf(const std::function<void(const std::exception_ptr&)>& visit) const;

  /// Splits the leaves into those that are an E, or derived from it, and the rest. Both sides keep
  /// the structure: a group that has leaves on a side appears there, with those leaves alone.
  /// Throws std::bad_alloc.
  template <class E>
  [[nodiscard]] exception_split split() const;

 private:
  struct contents;
  using predicate = bool (*)(const std::exception_ptr&);

  [[nodiscard]] exception_split split_by(predicate matches) const;

  std::shared_ptr<const contents> contents_;
};

/// What exception_group::split() returns. A side without a leaf is empty.
struct exception_split {
  std::optional<exception_group> matching;
  std::optional<exception_group> rest;
};

template <class E>
exception_split exception_group::split() const {
  return split_by([](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  });
}

}  // namespace magpie
