#pragma once

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <magpie/clock.hpp>
#include <magpie/detail/end_hook.hpp>
#include <magpie/detail/lock_guard.hpp>
#include <magpie/detail/request_number.hpp>
#include <magpie/detail/scope_word.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <magpie/detail/wait_description.hpp>
#include <optional>

namespace magpie::detail {

class cancel_round;
class cancel_scope;
class nested_scope;

/// What a cancel request must reach: a wait at which a coroutine is suspended, or a scope within
/// the scope. Linked into its scope for as long as it can be reached.
class scope_member {
 public:
  scope_member(const scope_member&) = delete;
  scope_member& operator=(const scope_member&) = delete;

 protected:
  /// Notifies a wait of a request: it is withdrawn, or forwards the request. The lock of its scope
  /// is held, so this takes no other scope's lock, and makes nothing ready.
  using notify_function = void (*)(scope_member& self, cancel_round& round) noexcept;
  /// Describes what is waited for. The same lock is held.
  using describe_function = void (*)(const scope_member& self, wait_descriptions& into) noexcept;

  /// What a kind of waits does; one object of static storage duration for each kind. A scope has
  /// neither function.
  struct operations {
    notify_function notify;
    describe_function describe;
  };

  explicit scope_member(const operations& kind) noexcept : operations_(kind) {}
  ~scope_member() = default;

  [[nodiscard]] const operations& kind() const noexcept { return operations_; }

 private:
  friend cancel_scope;
  friend cancel_round;

  [[nodiscard]] bool is_scope() const noexcept { return operations_.notify == nullptr; }

  const operations& operations_;
  // Guarded by the scope's lock.
  scope_member* next_ = nullptr;
  scope_member** link_ = nullptr;  // what points to this member
};

/// How far a round has come that goes through the members of a scope in parts. While members are
/// left, it stands in the scope's list, behind those that have been notified.
class round_place : public scope_member {
 public:
  round_place() noexcept : scope_member(nothing_to_do) {}
  ~round_place() = default;

 private:
  friend cancel_scope;

  static constexpr operations nothing_to_do{
      [](scope_member&, cancel_round&) noexcept {},
      [](const scope_member&, wait_descriptions&) noexcept {}};

  bool is_linked_ = false;  // guarded by the scope's lock
};

/// A part of a task that can be cancelled as one: the task as a whole, whose state is a scope, or
/// what runs within a nested scope. See runtime/cancelling.md.
class MAGPIE_LOCK cancel_scope {
 public:
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  /// Returns the number of the last request to this scope or to one around it, delivered or not; 0
  /// for none.
  [[nodiscard]] std::uint64_t due() const noexcept { return due_.load(std::memory_order_acquire); }

  /// The earliest deadline of this scope and those around it; time_point::max() for none.
  [[nodiscard]] time_point earliest_deadline() noexcept;

  /// The scope of the task as a whole that this scope is, or is a part of.
  [[nodiscard]] cancel_scope& root() noexcept;

  // A spin lock. It is held for a few instructions, or while a part of a round takes waits out of
  // their sources. Its holder may take the lock of a scope within, and no other scope's.

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
  /// Links `member` before `other`.
  void insert(scope_member& member, scope_member& other) noexcept MAGPIE_REQUIRES(this) {
    member.next_ = &other;
    member.link_ = other.link_;
    *other.link_ = &member;
    other.link_ = &member.next_;
  }
  void unlink(scope_member& member) noexcept MAGPIE_REQUIRES(this) {
    *member.link_ = member.next_;
    if (member.next_ != nullptr) member.next_->link_ = member.link_;
  }
  [[nodiscard]] bool has_members() const noexcept MAGPIE_REQUIRES(this) {
    return members_ != nullptr;
  }
  /// After the last request to the task was taken back: no scope within knows of one any more.
  void forget_task_requests() noexcept MAGPIE_REQUIRES(this);
  /// After a request to this scope: hands it down to all scopes within, and notifies all waits.
  void notify_members(cancel_round& round) noexcept MAGPIE_REQUIRES(this);
  /// The same for some members, behind those of the last call for this `place`. A scope within
  /// counts as one member. A round that is in a hurry stops before a scope, and before what it has
  /// refused. Returns true when all members have been notified.
  [[nodiscard]] bool notify_some(cancel_round& round, round_place& place) noexcept
      MAGPIE_REQUIRES(this);
  /// Collects what the waits are for.
  void describe_members(wait_descriptions& into) noexcept MAGPIE_REQUIRES(this);

  /// What requests that are delivered together were made to: the outermost counts.
  enum class source : unsigned char { none, nested_scope, task };

  struct delivered {
    source from;         // none: there is nothing to deliver
    std::uint64_t last;  // the number of the last request
  };

  /// For deliver(): notes that all requests of which a branch has not been told are delivered to
  /// it. `told`: the number of the last that it has been told of.
  [[nodiscard]] delivered note_delivery(std::uint64_t told) noexcept;

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

  void set_due(std::uint64_t number) noexcept MAGPIE_REQUIRES(this) {
    due_.store(number, std::memory_order_release);
  }

 private:
  friend nested_scope;

  /// The numbers of the last requests to a scope or to one around it, apart.
  struct request_numbers {
    std::uint64_t to_task;
    std::uint64_t to_scopes;
  };
  [[nodiscard]] request_numbers last_requests() const noexcept MAGPIE_REQUIRES(this);
  /// Goes through all that is in this scope. Calls `enter(inner)` for each scope within, before its
  /// members, and `visit(wait)` for each wait, which may leave its scope. The locks of the scopes
  /// around a member are held at that. Takes no memory, however deep the scopes are nested.
  template <class Enter, class Visit>
  void walk(Enter enter, Visit visit) noexcept MAGPIE_UNCHECKED_LOCKING;
  // Of members that notify_some() notifies. To withdraw so many waits takes some microseconds.
  static constexpr std::size_t most_at_once = 256;
  void lock_slowly() noexcept MAGPIE_ACQUIRES();
  void store(scope_word next) noexcept { word_.store(next.bits(), std::memory_order_release); }

  // A scope_word. The thread that gets the lock sets the lock bit (acquire) and clears it
  // (release). All else changes with the lock held, and releases: a thread that sees a request or
  // the end without the lock (acquire) sees what was before.
  std::atomic<std::uint64_t> word_;
  scope_member* members_ MAGPIE_GUARDED_BY(this) = nullptr;
  // Grows with each request, under the lock (release). It falls when the last request to the task
  // is taken back. Any thread reads it (acquire).
  std::atomic<std::uint64_t> due_{0};
};

/// A scope around one awaited coroutine of a task, its *body*. Lives in what awaits the body.
class nested_scope : public cancel_scope, public scope_member, public end_hook {
 public:
  nested_scope() noexcept
      : cancel_scope(scope_word::kind::nested), scope_member(scope_operations) {}

  [[nodiscard]] cancel_scope& parent() const noexcept { return *parent_; }

  /// The deadline of what runs within; time_point::max() for none.
  [[nodiscard]] time_point own_deadline() const noexcept MAGPIE_REQUIRES(this) { return deadline_; }

  /// What awaits the body.
  [[nodiscard]] std::coroutine_handle<> awaiter() const noexcept { return then().awaiter(); }

 protected:
  ~nested_scope() = default;

  /// On the awaiting coroutine's worker, before the body is resumed. From then on what runs there
  /// runs in this scope. The maker of the scope gives the function to call when the body has ended,
  /// for what else must be over before the awaiter resumes. Returns last_from_outside() at that
  /// moment.
  [[nodiscard]] std::uint64_t enter(std::coroutine_handle<> awaiting,
                                    end_function when_ended) noexcept;
  /// When the body has ended, on the worker that resumes the awaiter, which is then in the parent
  /// scope again. Returns the number of the last request that the branch has been told of, which
  /// may be 0 again; nothing if the body was told of none.
  [[nodiscard]] std::optional<std::uint64_t> leave() noexcept;

  void set_own_deadline(time_point deadline) noexcept MAGPIE_REQUIRES(this) {
    deadline_ = deadline;
  }
  /// Marks a request to what runs within.
  void mark_requested() noexcept MAGPIE_REQUIRES(this) {
    own_.store(next_request_number(), std::memory_order_release);
    update_due();
  }
  /// Returns the number of the last request from further out; 0 for none.
  [[nodiscard]] std::uint64_t last_from_outside() const noexcept {
    return std::max(from_task_.load(std::memory_order_acquire),
                    from_outer_.load(std::memory_order_acquire));
  }
  /// For after the end. Returns true if a request from further out was delivered in the scope, and
  /// the scope's own was delivered together with that, as one `cancelled`, or not at all.
  [[nodiscard]] bool is_overruled() const noexcept {
    return is_overruled_.load(std::memory_order_relaxed) ||
           (outside_is_delivered_.load(std::memory_order_relaxed) && !own_request_was_delivered());
  }
  /// Takes back what mark_requested() did, if no member can have been notified of it and no branch
  /// been told: the scope has no members. Returns false otherwise.
  [[nodiscard]] bool try_take_back_own_request() noexcept MAGPIE_REQUIRES(this) {
    if (has_members() || own_request_was_delivered()) return false;
    own_.store(0, std::memory_order_release);
    update_due();
    return true;
  }
  /// Returns true once a branch in the scope has been told of the scope's own request.
  [[nodiscard]] bool own_request_was_delivered() const noexcept {
    return own_is_delivered_.load(std::memory_order_acquire);
  }
  /// Returns true once mark_requested() was called.
  [[nodiscard]] bool has_own_request() const noexcept {
    return own_.load(std::memory_order_acquire) != 0;
  }

 private:
  friend cancel_scope;

  void update_due() noexcept MAGPIE_REQUIRES(this) {
    set_due(std::max(last_from_outside(), own_.load(std::memory_order_relaxed)));
  }
  /// Called when a branch that had been told of number `told` is told of all up to `last`.
  void note_delivery_of(std::uint64_t told, std::uint64_t last) noexcept {
    const auto is_news = [&](std::uint64_t number) { return told < number && number <= last; };
    const bool own = is_news(own_.load(std::memory_order_relaxed));
    if (own) own_is_delivered_.store(true, std::memory_order_release);
    if (!is_news(last_from_outside())) return;
    (own ? is_overruled_ : outside_is_delivered_).store(true, std::memory_order_relaxed);
  }
  /// Takes over what has come to the parent. The parent's lock is held, too.
  void take_over_requests() noexcept MAGPIE_REQUIRES(this) MAGPIE_UNCHECKED_LOCKING;
  static constexpr operations scope_operations{nullptr, nullptr};

  cancel_scope* parent_ = nullptr;
  cancel_scope* root_ = nullptr;
  time_point deadline_ MAGPIE_GUARDED_BY(this) = time_point::max();
  // The numbers of the last requests: to the task, to a scope around this one, to this one. 0:
  // none. Written under the lock (release), and read by any thread (acquire).
  std::atomic<std::uint64_t> from_task_{0};
  std::atomic<std::uint64_t> from_outer_{0};
  std::atomic<std::uint64_t> own_{0};
  // Set by a coroutine to which they are delivered: the own request; one from further out, without
  // the own one; both at once. The last two are read when the body has ended.
  std::atomic<bool> own_is_delivered_{false};
  std::atomic<bool> outside_is_delivered_{false};
  std::atomic<bool> is_overruled_{false};
};

}  // namespace magpie::detail
