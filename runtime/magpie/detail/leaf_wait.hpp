#pragma once

#include <coroutine>
#include <cstdint>
#include <magpie/detail/cancel_scope.hpp>
#include <magpie/detail/resumption.hpp>
#include <magpie/detail/thread_annotations.hpp>

namespace magpie::detail {

class scheduler;

/// A coroutine that is suspended until something happens or until it is cancelled: the base of the
/// waits for a sleep, a permit and the like. What it waits for is its *source*: the timer wheel,
/// say, or a semaphore. Lives in the awaiter and allocates nothing.
///
/// The source decides between the two. The thread that takes the wait out of the source submits it,
/// whether for the event or for a cancel request; the other thread finds it gone. The scope's lock
/// is held while the wait enters the scope and the source, while a request takes it out of the
/// source, and when it leaves the scope. So a request never touches a wait that has gone on.
class leaf_wait : public resumption, public scope_member {
 public:
  /// The scheduler of the task that waits. While it waits.
  [[nodiscard]] scheduler& home() const noexcept;

  /// Makes waits ready that are in no source any more, linked by `next`; null for none. The caller
  /// holds no lock.
  static void wake_all(job* first) noexcept {
    if (first != nullptr) wake_all(*first);
  }

 protected:
  /// See scope_member.
  explicit leaf_wait(const operations& kind) noexcept : scope_member(kind) {}
  /// Before the wait is awaited.
  leaf_wait(leaf_wait&& other) noexcept : resumption(), scope_member(other.kind()) {}
  ~leaf_wait() = default;

  /// For await_suspend: returns false if the coroutine must go on at once. `enter_source()` puts
  /// the wait into its source and returns whether it is there; it is called with the scope's lock
  /// held. After that the wait may be over, and this object gone.
  template <class EnterSource>
  [[nodiscard]] bool suspend(std::coroutine_handle<> suspended, EnterSource enter_source) {
    if (!lock_to_wait(suspended)) return false;
    enter_scope();
    const bool is_waiting = enter_source();
    if (!is_waiting) leave_locked_scope();
    scope->unlock();
    return is_waiting;
  }

  /// For await_resume: leaves the scope, and throws `cancelled` if a request must be delivered to
  /// the coroutine. If the wait was already satisfied then, the caller must pass the permit or item
  /// on; was_withdrawn() returns true if the wait was given nothing.
  void resume();

  [[nodiscard]] bool was_withdrawn() const noexcept { return withdrawn_; }
  /// For a wait that is withdrawn, and goes on later.
  void note_withdrawn() noexcept MAGPIE_REQUIRES(*scope) { withdrawn_ = true; }

  /// A notify function: `wait.withdraw()` takes the wait out of its source, and returns false if it
  /// is not there any more.
  template <class Wait>
  static void withdraw_at(scope_member& self, cancel_round& round) noexcept {
    auto& wait = static_cast<Wait&>(self);
    wait.scope->assume_locked();
    if (wait.is_news() && wait.withdraw()) wait.leave_withdrawn(round);
  }

  /// A describe function: `wait.describe(into)` adds what the wait is for.
  template <class Wait>
  static void describe_as(const scope_member& self, wait_descriptions& into) noexcept {
    static_cast<const Wait&>(self).describe(into);
  }

  /// The operations of a wait that has both of these members.
  template <class Wait>
  static constexpr operations operations_of{&withdraw_at<Wait>, &describe_as<Wait>};

  /// Locks the scope for a wait that is about to enter it. If a request has been delivered to the
  /// coroutine instead, does not lock it and returns false.
  [[nodiscard]] bool lock_to_wait(std::coroutine_handle<> suspended) noexcept
      MAGPIE_TRY_ACQUIRES(true, *scope);
  /// After lock_to_wait() returned false: what has been delivered to the coroutine.
  [[nodiscard]] cancel_scope::source found() const noexcept { return found_; }
  /// Its reason; null for none, and if the request was not made to the task but to a scope in it.
  [[nodiscard]] std::shared_ptr<const std::string> reason_found() const noexcept;
  /// After lock_to_wait() returned false: lets the coroutine wait all the same.
  void forget_found() noexcept { found_ = cancel_scope::source::none; }
  void enter_scope() noexcept MAGPIE_REQUIRES(*scope) {
    is_in_scope_ = true;
    scope->link(*this);
  }
  void leave_locked_scope() noexcept MAGPIE_REQUIRES(*scope) {
    is_in_scope_ = false;
    scope->unlink(*this);
  }
  /// Returns the scope's due().
  std::uint64_t leave_scope() noexcept;
  [[nodiscard]] bool is_in_scope() const noexcept { return is_in_scope_; }
  /// Returns whether there is a request that had not been delivered to the coroutine when it began
  /// to wait.
  [[nodiscard]] bool is_news() const noexcept MAGPIE_REQUIRES(*scope) {
    return scope->due() > seen_;
  }
  /// For a wait that is in no source any more: `round` makes it ready.
  void leave_withdrawn(cancel_round& round) noexcept MAGPIE_REQUIRES(*scope);

 private:
  static void wake_all(job& first) noexcept;

  std::uint64_t seen_ = 0;    // the scope's due() when the wait began
  bool is_in_scope_ = false;  // from enter_scope() until leave_scope() or the withdrawal
  bool withdrawn_ = false;
  // A request that was delivered before the wait began.
  cancel_scope::source found_ = cancel_scope::source::none;
};

}  // namespace magpie::detail
