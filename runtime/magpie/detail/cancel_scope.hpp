#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <magpie/clock.hpp>
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

/// What a request to cancel must reach: a wait at which a coroutine is suspended, or a scope within
/// the scope. Linked into its scope for as long as it is there to be reached.
class scope_member {
 public:
  scope_member(const scope_member&) = delete;
  scope_member& operator=(const scope_member&) = delete;

 protected:
  /// Passes the request on. The lock of the member's scope is held, so this takes no longer than a
  /// submission, and no other scope's lock but for a try, or that of a scope within.
  using tell_function = void (*)(scope_member& self, cancel_round& round) noexcept;
  /// Says what is waited for, with the same lock held.
  using describe_function = void (*)(const scope_member& self, wait_descriptions& into) noexcept;

  /// What a kind of members does; one for each kind, which lives for ever.
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
/// what runs within a nested scope. README.md tells how a request finds the waits, and what is
/// delivered to whom.
class cancel_scope {
 public:
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  /// Somebody wants this scope, or one around it, to end, and the coroutine in it has not been told
  /// yet, or not all of its children.
  [[nodiscard]] bool is_requested() const noexcept {
    return (word_.load(std::memory_order_acquire) & (requested | within)) != 0 && requests() != 0;
  }
  /// The same for each scope: a bit, the lowest for this one, the next for the one around it.
  [[nodiscard]] std::uint32_t requests() const noexcept;
  /// How many requests there have been to this scope and those around it, delivered or not, but for
  /// those that were taken back.
  [[nodiscard]] std::uint64_t requests_so_far() const noexcept {
    return count_requests(counting::all);
  }
  /// How many of them are no news to `at`, a coroutine in this scope: deliver() would not find
  /// them.
  [[nodiscard]] std::uint64_t requests_known_to(std::coroutine_handle<> at) noexcept;
  /// The earliest deadline of this scope and those around it; time_point::max() for none.
  [[nodiscard]] time_point earliest_deadline() noexcept;

  /// The task that this scope is, or is a part of.
  [[nodiscard]] task_state_base& root() noexcept;

  // A spin lock: what it guards takes a few instructions, or one submission for each wait that is
  // woken. Locks of other scopes are only tried while it is held, but for those of scopes within.

  void lock() noexcept {
    if (!try_lock()) [[unlikely]]
      lock_slowly();
  }
  [[nodiscard]] bool try_lock() noexcept {
    return (word_.fetch_or(locked, std::memory_order_acquire) & locked) == 0;
  }
  void unlock() noexcept {
    word_.store(word_.load(std::memory_order_relaxed) & ~locked, std::memory_order_release);
  }

  // With the lock held.

  void link(scope_member& member) noexcept {
    member.next_ = members_;
    member.link_ = &members_;
    if (members_ != nullptr) members_->link_ = &member.next_;
    members_ = &member;
  }
  void unlink(scope_member& member) noexcept {
    *member.link_ = member.next_;
    if (member.next_ != nullptr) member.next_->link_ = member.link_;
  }
  [[nodiscard]] bool has_members() const noexcept { return members_ != nullptr; }
  /// Tells all members.
  void tell_members(cancel_round& round) noexcept;
  /// Collects what the members wait for.
  void describe_members(wait_descriptions& into) const noexcept;

  enum class delivery : unsigned char {
    none,        // whoever asks has been told already, or nobody wants anything
    from_scope,  // a nested scope is to end
    from_task,   // the task is to end
  };

  /// For a coroutine in this scope that is at a point where it can be told: takes the requests that
  /// it has to be told of. `at` is the coroutine.
  [[nodiscard]] delivery deliver(std::coroutine_handle<> at) noexcept;

  /// Undoes deliver(): the coroutine is to be told again of what has been asked for. The count of
  /// requests stays. It may undo more than the last delivery, if there were several; they are
  /// delivered as one.
  void ask_again(std::coroutine_handle<> at) noexcept;

  /// deliver(), and throws `cancelled` unless there is nothing to be told of.
  void deliver_or_pass(std::coroutine_handle<> at) {
    const delivery due = deliver(at);
    if (due != delivery::none) throw_cancelled(due);
  }

  [[noreturn]] void throw_cancelled(delivery due);

  /// Takes the request to this scope, if there is one.
  bool take_request() noexcept;

  /// Whether `other` is this scope or one within. `other` may be gone.
  [[nodiscard]] bool contains(const void* other) noexcept;

 protected:
  enum class kind : std::uint64_t { task = 0, nested = 4 };

  explicit cancel_scope(kind which) noexcept : word_(static_cast<std::uint64_t>(which)) {}
  ~cancel_scope() = default;

  static constexpr std::uint64_t locked = 1;
  static constexpr std::uint64_t requested = 2;
  static constexpr std::uint64_t within = static_cast<std::uint64_t>(kind::nested);
  // Of a nested scope.
  static constexpr std::uint64_t asked = 256;  // it was requested, and may have been delivered
  // Of a task's scope.
  static constexpr std::uint64_t listed = 8;          // a round has it in its list
  static constexpr std::uint64_t ended = 16;          // the outcome stands, for ever
  static constexpr std::uint64_t has_failed = 32;     // ... and is an exception,
  static constexpr std::uint64_t was_cancelled = 64;  // ... which is `cancelled`
  static constexpr std::uint64_t observed = 128;      // ... and somebody has seen it
  static constexpr std::uint64_t one_request = std::uint64_t{1} << 32;  // cancelling()

  [[nodiscard]] std::uint64_t word(std::memory_order order) const noexcept {
    return word_.load(order);
  }
  [[nodiscard]] bool has(std::uint64_t bit) const noexcept {
    return (word_.load(std::memory_order_relaxed) & bit) != 0;
  }
  // With the lock held.
  void set(std::uint64_t bits) noexcept { store(word_.load(std::memory_order_relaxed) | bits); }
  void clear(std::uint64_t bits) noexcept { store(word_.load(std::memory_order_relaxed) & ~bits); }
  void store(std::uint64_t value) noexcept { word_.store(value, std::memory_order_release); }

 private:
  enum class counting {
    all,     // delivered or not
    settled  // without what still stands: one for each scope that has something to be told of
  };
  /// Of this scope and those around it.
  [[nodiscard]] std::uint64_t count_requests(counting which) const noexcept;
  /// How many requests and whether one stands are read in one: a request that comes meanwhile is
  /// there with both or not at all.
  [[nodiscard]] std::uint64_t count_own_requests(counting which) const noexcept;
  void lock_slowly() noexcept;

  // The bits above, and how often the task was asked to end. Bit `locked` is set by whoever gets
  // the lock (acquire) and cleared by it (release); all else is only changed with the lock held. To
  // set `requested` or `ended` releases: who sees it without the lock (acquire) sees what was
  // before.
  std::atomic<std::uint64_t> word_;
  scope_member* members_ = nullptr;  // guarded by the lock
};

/// A scope around one awaited coroutine of a task, its *body*. Lives in what awaits the body.
class nested_scope : public cancel_scope, public scope_member {
 public:
  nested_scope() noexcept : cancel_scope(kind::nested), scope_member(nested_operations) {}

  /// Any thread that knows it to be there: tells what runs within of a request that has been
  /// marked.
  void tell() noexcept;

  [[nodiscard]] cancel_scope& parent() const noexcept { return *parent_; }

  /// When what runs within is to end; time_point::max() for never. With the lock held.
  [[nodiscard]] time_point own_deadline() const noexcept { return deadline_; }

  /// What awaits the body.
  [[nodiscard]] std::coroutine_handle<> awaiter() const noexcept { return awaiter_; }

  /// The body has ended: the coroutine to go on with on this thread. Overridden by a function that
  /// the maker of the scope gives, for what else has to be over before the awaiter goes on.
  [[nodiscard]] std::coroutine_handle<> body_ended() noexcept { return when_ended_(*this); }

 protected:
  using end_function = std::coroutine_handle<> (*)(nested_scope& self) noexcept;

  ~nested_scope() = default;

  /// On the awaiting coroutine's worker, before the body is resumed. From then on what runs there
  /// runs in this scope.
  void enter(std::coroutine_handle<> awaiting, end_function when_ended) noexcept;
  /// When the body has ended, on the worker that goes on with the awaiter: in the parent scope
  /// again.
  void leave() noexcept;

  /// With the lock held.
  void set_own_deadline(time_point deadline) noexcept { deadline_ = deadline; }
  /// With the lock held: what runs within is to end.
  void mark_requested() noexcept { set(requested | asked); }

 private:
  friend cancel_scope;

  static void tell_nested(scope_member& self, cancel_round& round) noexcept;
  static void describe_nested(const scope_member& self, wait_descriptions& into) noexcept;
  static const operations nested_operations;

  cancel_scope* parent_ = nullptr;
  std::coroutine_handle<> awaiter_;
  time_point deadline_ = time_point::max();
  end_function when_ended_ = nullptr;
};

/// A user's code that is to be called when something is cancelled.
struct foreign_call {
  using function = void (*)(foreign_call&) noexcept;

  explicit foreign_call(function to_call) noexcept : call(to_call) {}

  const function call;
  std::shared_ptr<foreign_call> next;  // of the round that is to call it
};

/// The course of one request through the tasks that it reaches: a task that awaits another's handle
/// passes the request on to that one, and so on. It allocates nothing; the tasks that are still to
/// be looked at are linked through their states.
class cancel_round {
 public:
  /// Of a request that was made to `origin`, or to a scope within it.
  explicit cancel_round(task_state_base& origin,
                        std::shared_ptr<const std::string> why = {}) noexcept;
  cancel_round(const cancel_round&) = delete;
  cancel_round& operator=(const cancel_round&) = delete;

  /// Which one this is, for those that must not be told twice in one round.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  [[nodiscard]] const std::shared_ptr<const std::string>& reason() const noexcept {
    return reason_;
  }

  /// The task with which the round began. A wait for it is withdrawn, and nothing passed on: there
  /// the tasks await each other in a ring.
  [[nodiscard]] const task_state_base& origin() const noexcept { return origin_; }

  /// Whether the round may pass the request on from task to task: one round at a time does, to its
  /// end. Two that take over each other's tasks would not notice that they have gone round a ring.
  [[nodiscard]] bool try_pass_on() noexcept;

  /// Tells the members of all tasks that were added, and of those that these add. Without a lock:
  /// it may call what is a user's.
  void run() noexcept;

  /// With the lock of `task` held: it has been asked, its members have not been told.
  void add(task_state_base& task) noexcept;
  /// A member could not be told, because a lock was not to be had: the scope's members are told
  /// once more.
  void come_again() noexcept { must_come_again_ = true; }
  /// Has `call`, which no other round is given, called when all have been told and no lock is held.
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
  std::unique_lock<std::mutex> turn_;  // to pass on
  task_state_base* first_ = nullptr;
  std::shared_ptr<foreign_call> calls_;
  bool must_come_again_ = false;
};

}  // namespace magpie::detail
