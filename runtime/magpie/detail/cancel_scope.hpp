#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <magpie/clock.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/scope_word.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/wait_description.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace magpie::detail {

class cancel_round;
class cancel_scope;
class promise_base;
class task_state_base;

/// What a cancel request must reach: a wait at which a coroutine is suspended, or a scope within
/// the scope. Linked into its scope for as long as it can be reached.
class scope_member {
 public:
  scope_member(const scope_member&) = delete;
  scope_member& operator=(const scope_member&) = delete;

 protected:
  /// Notifies the member of a request: a wait is withdrawn or forwards the request, a scope
  /// notifies its own members. The lock of the member's scope is held, so this takes no longer than
  /// a submission. It takes the lock of a scope within, and only tries any other scope's.
  using tell_function = void (*)(scope_member& self, cancel_round& round) noexcept;
  /// Describes what is waited for. The same lock is held.
  using describe_function = void (*)(const scope_member& self, wait_descriptions& into) noexcept;

  /// What a kind of members does; one object of static storage duration for each kind.
  struct operations {
    tell_function tell;
    describe_function describe;
  };

  explicit scope_member(const operations& kind) noexcept : operations_(kind) {}
  ~scope_member() = default;

 private:
  friend cancel_scope;

  const operations& operations_;
  // Guarded by the scope's lock.
  scope_member* next_ = nullptr;
  scope_member** link_ = nullptr;  // what points to this member
};

/// A part of a task that can be cancelled as one: the task as a whole, whose state is a scope, or
/// what runs within a nested scope. See runtime/cancelling.md.
class MAGPIE_LOCK cancel_scope {
 public:
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  /// Returns true if a request to this scope, or to one around it, has not been delivered to the
  /// coroutine in it yet, or not to all of its children.
  [[nodiscard]] bool is_requested() const noexcept {
    return look(std::memory_order_acquire).may_be_requested() && requests() != 0;
  }
  /// The same for each scope: a bit, the lowest for this one, the next for the one around it.
  [[nodiscard]] std::uint32_t requests() const noexcept;
  /// Returns the number of requests to this scope and those around it, delivered or not, less those
  /// that were taken back.
  [[nodiscard]] std::uint64_t requests_so_far() const noexcept {
    return count_requests(counting::all);
  }
  /// Returns how many of them are known to `at`, a coroutine in this scope: deliver() would not
  /// find them.
  [[nodiscard]] std::uint64_t requests_known_to(std::coroutine_handle<> at) noexcept;
  /// The earliest deadline of this scope and those around it; time_point::max() for none.
  [[nodiscard]] time_point earliest_deadline() noexcept;

  /// The task that this scope is, or is a part of.
  [[nodiscard]] task_state_base& root() noexcept;

  // A spin lock. It is held for a few instructions, or for one submission for each wait that is
  // woken. Its holder may take the lock of a scope within, and only tries the locks of other
  // scopes.

  void lock() noexcept MAGPIE_ACQUIRES() {
    if (!try_lock()) [[unlikely]]
      lock_slowly();
  }
  [[nodiscard]] bool try_lock() noexcept MAGPIE_TRY_ACQUIRES(true) {
    return !scope_word(word_.fetch_or(scope_word::lock_bit, std::memory_order_acquire)).is_locked();
  }
  void unlock() noexcept MAGPIE_RELEASES() { store(look().unlocked()); }
  /// Says that the caller holds the lock, where only the caller's caller can be seen to.
  void assume_locked() const noexcept MAGPIE_ASSUMES(this) {}

  void link(scope_member& member) noexcept MAGPIE_REQUIRES(this) {
    member.next_ = members_;
    member.link_ = &members_;
    if (members_ != nullptr) members_->link_ = &member.next_;
    members_ = &member;
  }
  void unlink(scope_member& member) noexcept MAGPIE_REQUIRES(this) {
    *member.link_ = member.next_;
    if (member.next_ != nullptr) member.next_->link_ = member.link_;
  }
  [[nodiscard]] bool has_members() const noexcept MAGPIE_REQUIRES(this) {
    return members_ != nullptr;
  }
  /// Notifies all members of a request.
  void tell_members(cancel_round& round) noexcept MAGPIE_REQUIRES(this);
  /// Collects what the members wait for.
  void describe_members(wait_descriptions& into) const noexcept MAGPIE_REQUIRES(this);

  enum class delivery : unsigned char {
    none,        // there is no request, or the coroutine knows of all
    from_scope,  // a nested scope has a request
    from_task,   // the task has a request
  };

  /// Delivers to `at`, a coroutine in this scope at a point of delivery, the requests that it does
  /// not know of. Returns the outermost source of them.
  [[nodiscard]] delivery deliver(std::coroutine_handle<> at) noexcept;

  /// Undoes deliver(): the requests will be delivered to the coroutine again. Their count stays. It
  /// may undo more than the last delivery, if there were several; they are then delivered as one.
  void ask_again(std::coroutine_handle<> at) noexcept;

  /// deliver(), and throws `cancelled` if there was a request.
  void deliver_or_pass(std::coroutine_handle<> at) {
    const delivery due = deliver(at);
    if (due != delivery::none) throw_cancelled(due);
  }

  [[noreturn]] void throw_cancelled(delivery due);

  /// Takes the request to this scope. Returns whether there was one.
  bool take_request() noexcept;

  /// Whether `other` is this scope or one within. `other` may be gone.
  [[nodiscard]] bool contains(const void* other) noexcept;

 protected:
  explicit cancel_scope(scope_word::kind which) noexcept : word_(scope_word(which).bits()) {}
  ~cancel_scope() = default;

  [[nodiscard]] scope_word look(
      std::memory_order order = std::memory_order_relaxed) const noexcept {
    return scope_word(word_.load(order));
  }
  void change_to(scope_word next) noexcept MAGPIE_REQUIRES(this) { store(next); }
  /// change_to() a word without the lock.
  void unlock_with(scope_word next) noexcept MAGPIE_RELEASES() { store(next); }

 private:
  enum class counting {
    all,     // delivered or not
    settled  // less one for each scope whose request still stands
  };
  /// Of this scope and those around it.
  [[nodiscard]] std::uint64_t count_requests(counting which) const noexcept;
  /// Reads the count and whether a request stands at once, so that a request which comes during the
  /// call is in both or in neither.
  [[nodiscard]] std::uint64_t count_own_requests(counting which) const noexcept;
  void lock_slowly() noexcept MAGPIE_ACQUIRES();
  void store(scope_word next) noexcept { word_.store(next.bits(), std::memory_order_release); }

  // A scope_word. The thread that gets the lock sets the lock bit (acquire) and clears it
  // (release). All else changes with the lock held, and releases: a thread that sees a request or
  // the end without the lock (acquire) sees what was before.
  std::atomic<std::uint64_t> word_;
  scope_member* members_ MAGPIE_GUARDED_BY(this) = nullptr;
};

/// A scope around one awaited coroutine of a task, its *body*. Lives in what awaits the body.
class nested_scope : public cancel_scope, public scope_member {
 public:
  nested_scope() noexcept
      : cancel_scope(scope_word::kind::nested), scope_member(nested_operations) {}

  /// Notifies what runs within of a request that has been marked. Any thread that knows that this
  /// object exists.
  void tell() noexcept;

  [[nodiscard]] cancel_scope& parent() const noexcept { return *parent_; }

  /// The deadline of what runs within; time_point::max() for none.
  [[nodiscard]] time_point own_deadline() const noexcept MAGPIE_REQUIRES(this) { return deadline_; }

  /// What awaits the body.
  [[nodiscard]] std::coroutine_handle<> awaiter() const noexcept { return awaiter_; }

  /// Called when the body has ended. Returns the coroutine to resume on this thread. The maker of
  /// the scope gives the function, for what else must be over before the awaiter resumes.
  [[nodiscard]] std::coroutine_handle<> body_ended() noexcept { return when_ended_(*this); }

 protected:
  using end_function = std::coroutine_handle<> (*)(nested_scope& self) noexcept;

  ~nested_scope() = default;

  /// On the awaiting coroutine's worker, before the body is resumed. From then on what runs there
  /// runs in this scope.
  void enter(std::coroutine_handle<> awaiting, end_function when_ended) noexcept;
  /// When the body has ended, on the worker that resumes the awaiter, which is then in the parent
  /// scope again.
  void leave() noexcept;

  void set_own_deadline(time_point deadline) noexcept MAGPIE_REQUIRES(this) {
    deadline_ = deadline;
  }
  /// Marks a request to what runs within.
  void mark_requested() noexcept MAGPIE_REQUIRES(this) { change_to(look().with_request()); }

 private:
  friend cancel_scope;

  static void tell_nested(scope_member& self, cancel_round& round) noexcept;
  static void describe_nested(const scope_member& self, wait_descriptions& into) noexcept;
  static const operations nested_operations;

  cancel_scope* parent_ = nullptr;
  std::coroutine_handle<> awaiter_;
  time_point deadline_ MAGPIE_GUARDED_BY(this) = time_point::max();
  end_function when_ended_ = nullptr;
};

/// A user's code that a round calls after a request.
struct foreign_call {
  using function = void (*)(foreign_call&) noexcept;

  explicit foreign_call(function to_call) noexcept : call(to_call) {}

  const function call;
  std::shared_ptr<foreign_call> next;  // of the round that is to call it
};

/// The course of one request through the tasks that it reaches: a task that awaits another's handle
/// forwards the request to that one, and so on. A round allocates nothing. The tasks whose members
/// have not been notified are linked through their states.
class cancel_round {
 public:
  /// Of a request that was made to `origin`, or to a scope within it.
  explicit cancel_round(task_state_base& origin,
                        std::shared_ptr<const std::string> why = {}) noexcept;
  cancel_round(const cancel_round&) = delete;
  cancel_round& operator=(const cancel_round&) = delete;

  /// The number of this round, for members that must not be notified twice in one round.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  [[nodiscard]] const std::shared_ptr<const std::string>& reason() const noexcept {
    return reason_;
  }

  /// The task at which the round began. A wait for it is withdrawn and does not forward the
  /// request: the tasks await each other in a ring.
  [[nodiscard]] const task_state_base& origin() const noexcept { return origin_; }

  /// Returns whether the round may forward the request from task to task. One round at a time does
  /// so, to its end. Two rounds that take over each other's tasks would not notice that they have
  /// gone round a ring.
  [[nodiscard]] bool try_pass_on() noexcept;

  /// Notifies the members of all tasks that were added, and of those that these add. Called without
  /// a lock, because it may call a user's code.
  void run() noexcept;

  /// `task` has the request, and its members have not been notified.
  void add(task_state_base& task) noexcept MAGPIE_REQUIRES(task);
  /// A member's lock was busy, so the round visits this scope again.
  void come_again() noexcept { must_come_again_ = true; }
  /// Calls `call`, which no other round is given, when all members have been notified and no lock
  /// is held.
  void call_later(std::shared_ptr<foreign_call> call) noexcept {
    call->next = std::move(calls_);
    calls_ = std::move(call);
  }

 private:
  friend nested_scope;

  template <class Scope>
  void tell_all(Scope& scope) noexcept;

  const std::uint64_t number_;
  const task_state_base& origin_;
  const std::shared_ptr<const std::string> reason_;
  std::unique_lock<std::mutex> turn_;  // to forward the request
  task_state_base* first_ = nullptr;
  std::shared_ptr<foreign_call> calls_;
  bool must_come_again_ = false;
};

}  // namespace magpie::detail
