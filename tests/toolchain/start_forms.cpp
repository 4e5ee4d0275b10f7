// Forms about the frame before its body begins: whatever throws there has to leave nothing behind.
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "toolchain/forms.hpp"
#include "toolchain/minimal_task.hpp"

namespace canary {
namespace {

enum class place {
  nowhere,
  parameter_copy,
  promise_constructor,
  get_return_object,
  initial_suspend,
  initial_await_ready,
  initial_await_suspend,
  initial_await_resume,
};

template <place Where, place Here>
void maybe_throw() {
  if constexpr (Where == Here) throw std::runtime_error("wanted");
}

template <place Where>
struct fragile_parameter {
  fragile_parameter() = default;
  fragile_parameter(const fragile_parameter& other) : held(other.held) {
    maybe_throw<Where, place::parameter_copy>();
  }
  counted held;
};

// What the coroutine returns to its caller. The compilers disagree whether it is destroyed when
// something throws after get_return_object: if it is, an owner destroys a frame that is also
// cleaned up by the coroutine; if it is not, what it holds is lost. None does right by both kinds.
enum class result { nothing, counts, owns_frame };

template <result Kind>
struct return_object {
  explicit return_object(std::coroutine_handle<>) {}
};

template <>
struct return_object<result::counts> {
  explicit return_object(std::coroutine_handle<>) {}
  counted held;
};

template <>
struct return_object<result::owns_frame> {
  explicit return_object(std::coroutine_handle<> of) : frame(of) {}
  return_object(return_object&& other) noexcept : frame(std::exchange(other.frame, nullptr)) {}
  ~return_object() {
    if (frame) frame.destroy();
  }
  std::coroutine_handle<> frame;
};

template <place Where, result Kind>
struct fragile : return_object<Kind> {
  using return_object<Kind>::return_object;

  struct promise_type : counted_frame {
    struct initial_awaiter {
      bool await_ready() const {
        maybe_throw<Where, place::initial_await_ready>();
        return false;
      }
      bool await_suspend(std::coroutine_handle<>) const {
        maybe_throw<Where, place::initial_await_suspend>();
        return false;
      }
      void await_resume() const { maybe_throw<Where, place::initial_await_resume>(); }
    };

    promise_type() { maybe_throw<Where, place::promise_constructor>(); }
    fragile get_return_object() {
      maybe_throw<Where, place::get_return_object>();
      return fragile(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    initial_awaiter initial_suspend() const {
      maybe_throw<Where, place::initial_suspend>();
      return {};
    }
    // A returned owner destroys the frame, which must then wait for it.
    auto final_suspend() const noexcept {
      return std::conditional_t<Kind == result::owns_frame, std::suspend_always,
                                std::suspend_never>();
    }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { ++caught_by_promise; }

    counted held;
  };
  static inline int caught_by_promise = 0;
  static inline int bodies = 0;
};

template <place Where, result Kind>
fragile<Where, Kind> fragile_body(fragile_parameter<Where> parameter) {
  counted local(parameter.held.value());
  ++fragile<Where, Kind>::bodies;
  co_return;
}

// Whatever throws before the initial await_resume reaches the caller, and nothing is left of the
// coroutine; what await_resume throws belongs to the body and reaches unhandled_exception.
template <place Where, result Kind = result::nothing>
void throws_early() {
  using tried = fragile<Where, Kind>;
  constexpr bool of_the_body = Where == place::initial_await_resume;
  int caught_by_caller = 0;
  try {
    const fragile_parameter<Where> parameter;
    [[maybe_unused]] const tried ended = fragile_body<Where, Kind>(parameter);
  } catch (const std::runtime_error&) {
    ++caught_by_caller;
  }
  const int expected = Where == place::nowhere ? 0 : 1;
  expect(caught_by_caller == (of_the_body ? 0 : expected), "the caller saw the wrong number");
  expect(tried::caught_by_promise == (of_the_body ? 1 : 0), "the promise saw the wrong number");
  expect(tried::bodies == 1 - expected, "the body ran, or did not");
}

constexpr form table[] = {
    {"nothing_throws_early", throws_early<place::nowhere>},
    {"parameter_copy_throws", throws_early<place::parameter_copy>},
    {"promise_constructor_throws", throws_early<place::promise_constructor>},
    {"get_return_object_throws", throws_early<place::get_return_object>},
    {"initial_suspend_throws", throws_early<place::initial_suspend>},
    {"initial_await_ready_throws", throws_early<place::initial_await_ready>},
    {"initial_await_suspend_throws", throws_early<place::initial_await_suspend>},
    {"initial_await_resume_throws", throws_early<place::initial_await_resume>},
    {"owned_nothing_throws_early", throws_early<place::nowhere, result::owns_frame>},
    {"owned_initial_suspend_throws", throws_early<place::initial_suspend, result::owns_frame>},
    {"owned_await_ready_throws", throws_early<place::initial_await_ready, result::owns_frame>},
    {"owned_await_suspend_throws", throws_early<place::initial_await_suspend, result::owns_frame>},
    {"owned_await_resume_throws", throws_early<place::initial_await_resume, result::owns_frame>},
    {"counted_nothing_throws_early", throws_early<place::nowhere, result::counts>},
    {"counted_initial_suspend_throws", throws_early<place::initial_suspend, result::counts>},
};

}  // namespace

std::span<const form> start_forms() { return table; }

}  // namespace canary
