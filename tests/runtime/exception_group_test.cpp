#include <magpie/exception_group.hpp>

#include <gtest/gtest.h>

#include <exception>
#include <magpie/errors.hpp>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using magpie::exception_group;

template <class... Errors>
exception_group group_of(Errors... errors) {
  return exception_group({std::make_exception_ptr(std::move(errors))...});
}

exception_group tree() {
  return group_of(
      std::runtime_error("no route"),
      group_of(std::logic_error("bug"), group_of(std::runtime_error("late")), std::bad_alloc()),
      magpie::cancelled("enough"), 7);
}

std::string text(const std::optional<exception_group>& group) {
  return group ? group->what() : "(none)";
}

TEST(exception_group, lists_what_it_holds) {
  EXPECT_STREQ(group_of(std::runtime_error("no route")).what(), "1 error: no route");
  EXPECT_STREQ(group_of(magpie::cancelled(), 7).what(),
               "2 errors: cancelled; an exception of unknown type");
  EXPECT_STREQ(tree().what(),
               "4 errors: no route; (3 errors: bug; (1 error: late); std::bad_alloc); "
               "cancelled: enough; an exception of unknown type");
  EXPECT_EQ(tree().exceptions().size(), 4U);
}

TEST(exception_group, is_never_empty) {
  EXPECT_THROW(exception_group({}), magpie::invalid_state);
  EXPECT_THROW(exception_group({nullptr}), magpie::invalid_state);
}

TEST(exception_group, visits_its_leaves_in_order) {
  std::string leaves;
  tree().for_each_leaf([&](const std::exception_ptr& leaf) {
    try {
      std::rethrow_exception(leaf);
    } catch (const std::exception& error) {
      leaves += error.what();
    } catch (...) {
      leaves += "?";
    }
    leaves += ";";
  });
  EXPECT_EQ(leaves, "no route;bug;late;std::bad_alloc;?;?;");
}

TEST(exception_group, is_split_by_type_and_keeps_its_structure) {
  const auto parts = tree().split<std::runtime_error>();
  EXPECT_EQ(text(parts.matching), "2 errors: no route; (1 error: (1 error: late))");
  EXPECT_EQ(text(parts.rest),
            "3 errors: (2 errors: bug; std::bad_alloc); cancelled: enough; "
            "an exception of unknown type");
  const auto all = tree().split<std::exception>();
  EXPECT_EQ(text(all.rest), "2 errors: cancelled: enough; an exception of unknown type");
  const auto none = tree().split<magpie::timeout_error>();
  EXPECT_EQ(text(none.matching), "(none)");
  EXPECT_EQ(text(none.rest), tree().what());
  const auto groups = tree().split<exception_group>();
  EXPECT_EQ(text(groups.matching), "(none)") << "only leaves are looked at";
}

TEST(exception_group, copies_share_what_they_hold) {
  const exception_group original = tree();
  exception_group copy = group_of(7);
  copy = original;
  EXPECT_EQ(copy.what(), original.what()) << "the same text, at the same place";
  EXPECT_EQ(&copy.exceptions(), &original.exceptions());
  try {
    throw copy;
  } catch (const std::exception& thrown) {
    EXPECT_EQ(thrown.what(), original.what());
  }
}

}  // namespace
