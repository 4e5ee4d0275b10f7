#include <magpie/detail/wait_description.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <magpie/detail/task_state.hpp>

namespace magpie::detail {

namespace {

std::string seconds(duration time) {
  char digits[40];
  std::snprintf(digits, sizeof(digits), "%.3f s",
                std::chrono::duration<double>(std::max(time, duration::zero())).count());
  return digits;
}

}  // namespace

wait_descriptions::~wait_descriptions() {
  for (std::size_t i = 0; i < count_; ++i) {
    if (found_[i].awaited != nullptr) found_[i].awaited->end_visit();
  }
}

/// The wait has a handle of what it awaits, and cannot drop it before it has left the scope. This
/// takes a visit and no handle, because one more handle would keep an awaiter from taking the
/// result.
void wait_descriptions::add(const wait_description& found) noexcept {
  there_are_more_ = count_ == most;
  if (there_are_more_) return;
  if (found.awaited != nullptr) {
    found.awaited->add_visit();
  }
  found_[count_++] = found;
}

std::string wait_descriptions::text() const {
  if (is_empty()) return "nothing (ready or running)";
  std::string words;
  if (there_are_more_) {
    words = "more than " + std::to_string(count_) + " of these: ";
  } else if (count_ > 1) {
    words = std::to_string(count_) + " of these: ";
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const wait_description& each = found_[i];
    if (i != 0) words += "; ";
    words += each.what;
    if (each.awaited != nullptr) words += " \"" + each.awaited->name() + '"';
    if (each.name != nullptr) words += " \"" + *each.name + '"';
    if (each.ahead == wait_description::most_ahead) {
      words += " (" + std::to_string(each.ahead) + " or more ahead)";
    } else if (each.ahead != wait_description::no_line) {
      words += " (" + std::to_string(each.ahead) + " ahead)";
    }
    if (each.until != time_point::max()) words += ", " + seconds(each.until - now_) + " to go";
  }
  if (timeout_ != time_point::max()) words += "; timeout in " + seconds(timeout_ - now_);
  return words;
}

std::vector<const task_state_base*> wait_descriptions::awaited_tasks() const {
  std::vector<const task_state_base*> tasks;
  for (std::size_t i = 0; i < count_; ++i) {
    if (found_[i].awaited != nullptr) tasks.push_back(found_[i].awaited);
  }
  return tasks;
}

}  // namespace magpie::detail
