#include <magpie/sleep.hpp>

#include <magpie/detail/scheduler.hpp>

namespace magpie::detail {

bool sleep_awaiter::await_suspend(task_coroutine suspended) {
  worker& here = worker::here();
  if (deadline_ <= here.home().now()) {
    prepare(suspended, here);
    here.make_ready(*this);
    return true;
  }
  return suspend(suspended, [&] {
    here.home().arm(*this, deadline_);
    return true;
  });
}

bool sleep_awaiter::withdraw() noexcept { return home().disarm(*this); }

job* sleep_awaiter::wake(timer& self) noexcept { return &static_cast<sleep_awaiter&>(self); }

}  // namespace magpie::detail
