// Contests under relacy: contenders that end on any thread, and a rest that is dropped once one has
// won. Each contender runs once at most. One of those that ran wins. When all that ran have ended
// the parent goes on, once, with all that they did behind it; and what it frees then nobody touches
// any more.

#include "instrumented.hpp"
// Behind it: the code that is checked.
#include "join_program.hpp"
#include "runtime/contest.cpp"
#include "runtime/join.cpp"

namespace magpie::model {
namespace {

using detail::contender;
using detail::contest;
using detail::decided_by;
using beginning = detail::contender::beginning;

std::size_t errors_in_group = 0;

/// A contest of a few contenders, as race() awaits it.
template <decided_by what, std::size_t count>
class few {
 public:
  few(std::array<task<>, count> children, beginning of_last)
      : few(children, of_last, std::make_index_sequence<count>{}) {}
  few(const few&) = delete;
  few& operator=(const few&) = delete;
  ~few() {
    for (const contender& each : contenders_) each.frame().destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    return contest_.start(parent, contenders_);
  }
  std::size_t await_resume() { return contest_.winner(); }

 private:
  template <std::size_t... indices>
  few(std::array<task<>, count>& children, beginning of_last, std::index_sequence<indices...>)
      : contenders_{contender(detail::task_access::release(std::move(children[indices])),
                              indices + 1 == count ? of_last : beginning::in_time)...} {}

  std::array<contender, count> contenders_;
  contest contest_{what};
};

/// The contenders do what `manners` say; the last one may have to begin always.
template <class Derived, unsigned workers, decided_by what, std::size_t count>
class contest_program : public join_program<Derived, workers> {
  using base = join_program<Derived, workers>;

 public:
  using manner = typename base::manner;

  contest_program(std::array<manner, count> manners, beginning of_last,
                  worker::manner how = worker::manner::calm)
      : base(how), manners_(manners), of_last_(of_last) {}

  task<> parent() {
    std::size_t won = count;
    std::size_t failed = 0;
    {
      few<what, count> all(children(std::make_index_sequence<count>{}), of_last_);
      try {
        won = co_await all;
      } catch (const exception_group&) {
        failed = errors_in_group;
      }
    }
    this->note_going_on();
    std::size_t ran = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (this->has_run(i)) {
        ran += 1;
        RL_ASSERT(this->result(i) == 2);
      }
    }
    RL_ASSERT(ran != 0);
    if (of_last_ == beginning::always) RL_ASSERT(this->has_run(count - 1));
    if (won == count) {
      RL_ASSERT(what == decided_by::value && failed == count && ran == count);
    } else {
      RL_ASSERT(this->has_run(won));
      RL_ASSERT(what == decided_by::end || manners_[won] != manner::fails);
    }
    if (workers == 1 && manners_[0] == manner::at_once) {
      RL_ASSERT(won == 0);
      RL_ASSERT(ran == (of_last_ == beginning::in_time ? 1 : 2));
    }
  }

 private:
  template <std::size_t... indices>
  std::array<task<>, count> children(std::index_sequence<indices...>) {
    return {this->child(indices, manners_[indices])...};
  }

  const std::array<manner, count> manners_;
  const beginning of_last_;
};

template <unsigned workers, decided_by what, worker::manner how = worker::manner::calm>
class at_once : public contest_program<at_once<workers, what, how>, workers, what, 3> {
  using base = contest_program<at_once, workers, what, 3>;
  using manner = typename base::manner;

 public:
  at_once() : base({manner::at_once, manner::at_once, manner::at_once}, beginning::in_time, how) {}
};

/// The last one begins even if it comes too late.
template <unsigned workers>
class always : public contest_program<always<workers>, workers, decided_by::end, 3> {
  using base = contest_program<always, workers, decided_by::end, 3>;
  using manner = typename base::manner;

 public:
  always() : base({manner::at_once, manner::at_once, manner::suspends}, beginning::always) {}
};

template <unsigned workers>
class suspending : public contest_program<suspending<workers>, workers, decided_by::end, 3> {
  using base = contest_program<suspending, workers, decided_by::end, 3>;
  using manner = typename base::manner;

 public:
  suspending() : base({manner::suspends, manner::at_once, manner::suspends}, beginning::in_time) {}
};

/// The first value decides.
template <unsigned workers>
class one_value : public contest_program<one_value<workers>, workers, decided_by::value, 3> {
  using base = contest_program<one_value, workers, decided_by::value, 3>;
  using manner = typename base::manner;

 public:
  one_value() : base({manner::fails, manner::at_once, manner::fails}, beginning::in_time) {}
};

template <unsigned workers>
class no_value : public contest_program<no_value<workers>, workers, decided_by::value, 2> {
  using base = contest_program<no_value, workers, decided_by::value, 2>;
  using manner = typename base::manner;

 public:
  no_value() : base({manner::fails, manner::fails}, beginning::in_time) {}
};

}  // namespace
}  // namespace magpie::model

namespace magpie {

exception_group::exception_group(std::vector<std::exception_ptr> errors) {
  model::errors_in_group = errors.size();
}
const char* exception_group::what() const noexcept { return ""; }

}  // namespace magpie

int main() {
  using namespace magpie::model;
  using magpie::detail::decided_by;
  using magpie::detail::worker;
  run<at_once<1, decided_by::end>>("at_once<1>", search::all);
  run<always<1>>("always<1>", search::all);
  run<suspending<1>>("suspending<1>", search::all);
  run<one_value<1>>("one_value<1>", search::all);
  run<no_value<1>>("no_value<1>", search::all);
  for (const search kind : {search::two_preemptions, search::random}) {
    run<at_once<2, decided_by::end>>("at_once<2>", kind);
    run<at_once<2, decided_by::value>>("at_once<2, value>", kind);
    run<at_once<2, decided_by::end, worker::manner::marked>>("at_once<2, marked>", kind);
    run<at_once<2, decided_by::end, worker::manner::full>>("at_once<2, full>", kind);
    run<always<2>>("always<2>", kind);
    run<suspending<2>>("suspending<2>", kind);
    run<one_value<2>>("one_value<2>", kind);
    run<no_value<2>>("no_value<2>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<at_once<3, decided_by::end>>("at_once<3>", kind);
    run<suspending<3>>("suspending<3>", kind);
    run<one_value<3>>("one_value<3>", kind);
  }
}
