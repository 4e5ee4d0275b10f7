// Rule 95. A coroutine of another type than magpie::task awaits what needs a task. With AWAITED
// defined, as what it awaits, this must not compile.

#include <coroutine>
#include <magpie/magpie.hpp>

namespace {

using namespace std::chrono_literals;

struct foreign {
  struct promise_type {
    [[nodiscard]] foreign get_return_object() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {}
  };
};

[[maybe_unused]] magpie::task<int> give() { co_return 1; }
[[maybe_unused]] magpie::task<int> limited(magpie::timeout_scope&) { co_return 1; }
[[maybe_unused]] magpie::task_handle<int> a_handle() { return {}; }
[[maybe_unused]] magpie::semaphore permits(1);

[[maybe_unused]] foreign awaits() {
#if defined(AWAITED)
  co_await AWAITED;
#endif
  co_return;
}

}  // namespace
