// Joins under relacy: children that end on any thread, a rest that thieves take. Each child runs
// once; when all have ended the parent goes on, once, with all that they did behind it; and what it
// frees then nobody touches any more.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include "join_program.hpp"
#include "runtime/join.cpp"

namespace magpie::model {
namespace {

/// A join of a few children, as gather() awaits it.
template <std::size_t count>
class flat {
 public:
  explicit flat(std::array<task<>, count> children) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto frame = detail::task_access::release(std::move(children[i]));
      frame.promise().set_continuation(join_.continuation_of(static_cast<std::uint32_t>(i)));
      words_[i] = join::child_frame(frame);
    }
  }
  flat(const flat&) = delete;
  flat& operator=(const flat&) = delete;
  ~flat() {
    for (const std::uintptr_t each : words_) frame(each).destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    join_.set_parent(detail::continuation(parent));
    return join_.start(worker::here(), words_.front(), count);
  }
  void await_resume() const { join_.rethrow_first_failure(); }

 private:
  static std::coroutine_handle<> frame(std::uintptr_t word) {
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(word));
  }

  std::array<std::uintptr_t, count> words_;
  join join_{words_.data(), count};
};

/// Two joins of two children each, below a third.
class nested {
 public:
  explicit nested(std::array<task<>, 4> children) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto frame = detail::task_access::release(std::move(children[i]));
      join& around = below_[i / 2];
      frame.promise().set_continuation(around.continuation_of(static_cast<std::uint32_t>(i % 2)));
      words_[i] = join::child_frame(frame);
    }
    for (std::uint32_t i = 0; i < 2; ++i) {
      halves_[i] = join::child_join(below_[i]);
      below_[i].set_parent(top_.continuation_of(i));
    }
  }
  nested(const nested&) = delete;
  nested& operator=(const nested&) = delete;
  ~nested() {
    for (const std::uintptr_t each : words_) {
      std::coroutine_handle<>::from_address(reinterpret_cast<void*>(each)).destroy();
    }
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    top_.set_parent(detail::continuation(parent));
    return join::start_below(top_, worker::here());
  }
  void await_resume() const { top_.rethrow_first_failure(); }

 private:
  std::array<std::uintptr_t, 4> words_;
  std::array<join, 2> below_{join{words_.data(), 2}, join{words_.data() + 2, 2}};
  std::array<std::uintptr_t, 2> halves_;
  join top_{halves_.data(), 2};
};

class one_child : public join_program<one_child, 1> {
 public:
  task<> parent() {
    {
      flat<1> only({child(0)});
      co_await only;
    }
    check(1);
  }
};

template <unsigned workers>
class two_children : public join_program<two_children<workers>, workers> {
  using base = join_program<two_children, workers>;

 public:
  task<> parent() {
    {
      flat<2> both({this->child(0), this->child(1)});
      co_await both;
    }
    this->check(2);
  }
};

/// The rest is taken once or twice, and ends wherever.
template <unsigned workers, worker::manner how = worker::manner::calm>
class three_children : public join_program<three_children<workers, how>, workers> {
  using base = join_program<three_children, workers>;

 public:
  three_children() : base(how) {}

  task<> parent() {
    {
      flat<3> all({this->child(0), this->child(1), this->child(2)});
      co_await all;
    }
    this->check(3);
  }
};

/// A child that is suspended leaves its worker, who finds the rest itself.
template <unsigned workers>
class suspending : public join_program<suspending<workers>, workers> {
  using base = join_program<suspending, workers>;

 public:
  task<> parent() {
    {
      flat<3> all({this->child(0, base::manner::suspends), this->child(1),
                   this->child(2, base::manner::suspends)});
      co_await all;
    }
    this->check(3);
  }
};

/// Two of three fail: one of their failures reaches the parent.
template <unsigned workers>
class failing : public join_program<failing<workers>, workers> {
  using base = join_program<failing, workers>;

 public:
  task<> parent() {
    int failure = -1;
    {
      flat<3> all({this->child(0, base::manner::fails), this->child(1, base::manner::fails),
                   this->child(2)});
      try {
        co_await all;
      } catch (int which) {
        failure = which;
      }
    }
    RL_ASSERT(failure == 0 || (failure == 1 && workers > 1));
    this->check(3);
  }
};

/// Joins that are children of a join.
template <unsigned workers>
class joins_below : public join_program<joins_below<workers>, workers> {
  using base = join_program<joins_below, workers>;

 public:
  task<> parent() {
    bool has_failed = false;
    {
      nested all({this->child(0), this->child(1, base::manner::suspends), this->child(2),
                  this->child(3, base::manner::fails)});
      try {
        co_await all;
      } catch (int) {
        has_failed = true;
      }
    }
    RL_ASSERT(has_failed);
    this->check(4);
  }
};

/// One join after the other, in the same place: the strands of the first must be gone.
template <unsigned workers>
class one_after_the_other : public join_program<one_after_the_other<workers>, workers> {
  using base = join_program<one_after_the_other, workers>;

 public:
  task<> parent() {
    for (std::size_t i = 0; i < 4; i += 2) {
      flat<2> both({this->child(i), this->child(i + 1)});
      co_await both;
    }
    this->check(4);
  }
};

}  // namespace
}  // namespace magpie::model

int main() {
  using namespace magpie::model;
  using magpie::detail::worker;
  run<one_child>("one_child", search::all);
  run<three_children<1>>("three_children<1>", search::all);
  run<failing<1>>("failing<1>", search::all);
  for (const search kind : {search::two_preemptions, search::random}) {
    run<two_children<2>>("two_children<2>", kind);
    run<three_children<2>>("three_children<2>", kind);
    run<three_children<2, worker::manner::marked>>("three_children<2, marked>", kind);
    run<three_children<2, worker::manner::full>>("three_children<2, full>", kind);
    run<three_children<3>>("three_children<3>", kind);
    run<suspending<2>>("suspending<2>", kind);
    run<failing<2>>("failing<2>", kind);
    run<one_after_the_other<2>>("one_after_the_other<2>", kind);
    run<joins_below<2>>("joins_below<2>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<suspending<3>>("suspending<3>", kind);
    run<joins_below<3>>("joins_below<3>", kind);
  }
}
