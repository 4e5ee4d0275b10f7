#include <magpie/exception_group.hpp>

#include <magpie/detail/resumption.hpp>
#include <magpie/errors.hpp>
#include <string>
#include <utility>

namespace magpie {

namespace {

/// Returns the error as the group that it is; nothing for a leaf.
std::optional<exception_group> as_group(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const exception_group& group) {
    return group;
  } catch (...) {
    return std::nullopt;
  }
}

std::string description(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const exception_group& group) {
    return "(" + std::string(group.what()) + ")";
  } catch (const std::exception& failed) {
    return failed.what();
  } catch (const cancelled& stopped) {
    return stopped.reason().empty() ? "cancelled" : "cancelled: " + stopped.reason();
  } catch (...) {
    return "an exception of unknown type";
  }
}

std::string list(const std::vector<std::exception_ptr>& errors) {
  std::string text = std::to_string(errors.size()) + (errors.size() == 1 ? " error" : " errors");
  const char* separator = ": ";
  for (const std::exception_ptr& each : errors) {
    text += separator + description(each);
    separator = "; ";
  }
  return text;
}

std::optional<exception_group> group_of(std::vector<std::exception_ptr> errors) {
  if (errors.empty()) return std::nullopt;
  return exception_group(std::move(errors));
}

void add(std::vector<std::exception_ptr>& errors, const std::optional<exception_group>& group) {
  if (group) errors.push_back(std::make_exception_ptr(*group));
}

}  // namespace

struct exception_group::contents {
  std::vector<std::exception_ptr> errors;
  std::string text;
};

exception_group::exception_group(std::vector<std::exception_ptr> errors) {
  if (errors.empty()) detail::throw_invalid_state("an error at least, to make a group of them");
  for (const std::exception_ptr& each : errors) {
    if (!each) detail::throw_invalid_state("errors to make a group of, not null pointers");
  }
  std::string text = list(errors);
  contents_ = std::make_shared<const contents>(contents{std::move(errors), std::move(text)});
}

const char* exception_group::what() const noexcept { return contents_->text.c_str(); }

const std::vector<std::exception_ptr>& exception_group::exceptions() const noexcept {
  return contents_->errors;
}

void exception_group::for_each_leaf(
    const std::function<void(const std::exception_ptr&)>& visit) const {
  for (const std::exception_ptr& each : exceptions()) {
    if (const auto group = as_group(each)) {
      group->for_each_leaf(visit);
    } else {
      visit(each);
    }
  }
}

exception_split exception_group::split_by(predicate matches) const {
  std::vector<std::exception_ptr> matching;
  std::vector<std::exception_ptr> rest;
  for (const std::exception_ptr& each : exceptions()) {
    if (const auto group = as_group(each)) {
      const exception_split parts = group->split_by(matches);
      add(matching, parts.matching);
      add(rest, parts.rest);
    } else {
      (matches(each) ? matching : rest).push_back(each);
    }
  }
  return {group_of(std::move(matching)), group_of(std::move(rest))};
}

}  // namespace magpie
