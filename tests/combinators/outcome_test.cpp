#include <magpie/outcome.hpp>

#include <gtest/gtest.h>

#include <exception>
#include <magpie/errors.hpp>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace {

using magpie::outcome;

template <class T>
std::string printed(const outcome<T>& what) {
  std::ostringstream words;
  words << what;
  return words.str();
}

template <class T>
outcome<T> failed_with(std::string words) {
  return outcome<T>(std::make_exception_ptr(std::runtime_error(words)));
}

template <class T>
outcome<T> cancelled_with(std::string reason) {
  return outcome<T>(std::make_exception_ptr(magpie::cancelled(reason)));
}

TEST(outcome, of_a_value) {
  const outcome<int> seven(std::in_place, 7);
  EXPECT_TRUE(seven);
  EXPECT_TRUE(seven.has_value());
  EXPECT_FALSE(seven.failed());
  EXPECT_FALSE(seven.cancelled());
  EXPECT_EQ(seven.error(), nullptr);
  EXPECT_EQ(seven.value(), 7);
  EXPECT_EQ(seven, 7);
  EXPECT_FALSE(seven == 8);
  EXPECT_EQ(printed(seven), "7");
}

TEST(outcome, of_an_error) {
  const auto failed = failed_with<int>("boom");
  EXPECT_FALSE(failed);
  EXPECT_TRUE(failed.failed());
  EXPECT_FALSE(failed.cancelled());
  EXPECT_THROW(failed.value(), std::runtime_error);
  EXPECT_THROW(std::rethrow_exception(failed.error()), std::runtime_error);
  EXPECT_FALSE(failed == 0);
  EXPECT_EQ(printed(failed), "error: boom");
  EXPECT_EQ(printed(outcome<int>(std::make_exception_ptr(7))), "error: not a std::exception");
}

TEST(outcome, of_a_cancellation) {
  const auto stopped = cancelled_with<int>("enough");
  EXPECT_FALSE(stopped.has_value());
  EXPECT_FALSE(stopped.failed());
  EXPECT_TRUE(stopped.cancelled());
  EXPECT_THROW(stopped.value(), magpie::cancelled);
  EXPECT_EQ(printed(stopped), "cancelled: enough");
  EXPECT_EQ(printed(cancelled_with<int>("")), "cancelled");
}

TEST(outcome, of_nothing_tells_an_error_from_an_end) {
  const outcome<void> ended(std::in_place);
  EXPECT_TRUE(ended);
  ended.value();
  EXPECT_EQ(printed(ended), "a value");
  EXPECT_TRUE(failed_with<void>("boom").failed());
  EXPECT_THROW(failed_with<void>("boom").value(), std::runtime_error);
  EXPECT_TRUE(cancelled_with<void>("enough").cancelled());
}

TEST(outcome, of_a_reference_refers) {
  int place = 1;
  const outcome<int&> referring(std::in_place, place);
  static_assert(std::is_same_v<decltype(referring.value()), int&>);
  referring.value() = 2;
  EXPECT_EQ(place, 2);
  EXPECT_EQ(referring, 2);
  EXPECT_EQ(printed(referring), "2");
}

TEST(outcome, gives_a_value_away_that_cannot_be_copied) {
  outcome<std::unique_ptr<int>> owner(std::in_place, std::make_unique<int>(3));
  *owner.value() = 4;
  const std::unique_ptr<int> taken = std::move(owner).value();
  EXPECT_EQ(*taken, 4);
  EXPECT_EQ(printed(outcome<std::pair<int, int>>(std::in_place, 1, 2)), "a value");
}

TEST(outcome, whose_value_is_an_exception_is_no_error) {
  const outcome<std::exception_ptr> value(std::in_place, std::make_exception_ptr(1));
  EXPECT_TRUE(value.has_value());
  EXPECT_EQ(value.error(), nullptr);
  EXPECT_TRUE(failed_with<std::exception_ptr>("boom").failed());
}

}  // namespace
