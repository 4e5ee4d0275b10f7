#pragma once

#include <cstddef>
#include <cstdint>
#include <magpie/detail/forwarding_wait.hpp>
#include <magpie/detail/task_state.hpp>
#include <magpie/detail/thread_annotations.hpp>
#include <memory>
#include <string>
#include <utility>

namespace magpie::detail {

/// Makes a cancel request to the task as a whole. Returns false if it has ended.
bool cancel_task(task_state_base& task, std::shared_ptr<const std::string> reason) noexcept;

/// A user's code that a round calls after a request.
struct foreign_call {
  using function = void (*)(foreign_call&) noexcept;

  explicit foreign_call(function to_call) noexcept : call(to_call) {}

  const function call;
  std::shared_ptr<foreign_call> next;  // of the round that is to call it
};

/// The course of one request: through the scope that it was made to, and on through the tasks that
/// are awaited there. Allocates nothing. runtime/cancelling.md has the protocol.
class cancel_round {
 public:
  explicit cancel_round(std::shared_ptr<const std::string> reason = {}) noexcept
      : reason_(std::move(reason)) {}
  cancel_round(const cancel_round&) = delete;
  cancel_round& operator=(const cancel_round&) = delete;

  /// Notifies all that waits in `scope`, which has got the request. The caller holds no lock, and
  /// knows that the scope is there. Calls users' stop callbacks.
  void notify(cancel_scope& scope) noexcept;

  /// Begins to do this, for a thread that must not be kept: notifies some waits, up to the first
  /// member that takes more than that. Returns true if that was all. Otherwise finish() of another
  /// round, on another thread, does what is left.
  [[nodiscard]] bool begin(cancel_scope& scope, round_place& place) noexcept;
  void finish(cancel_scope& scope, round_place& place) noexcept MAGPIE_UNCHECKED_LOCKING;

  /// Forwards the request for a wait that its coroutine is about to begin: the request has been
  /// delivered to that coroutine. Returns false if all that it would wait for has ended.
  [[nodiscard]] bool forward(forwarding_wait& beginning) noexcept;

  // For a notified member. The lock of its scope is held.

  /// Whether only what is done at once is to be done.
  [[nodiscard]] bool is_in_hurry() const noexcept { return is_in_hurry_; }
  /// Whether the last member would have taken longer, and has not been notified.
  [[nodiscard]] bool has_refused() const noexcept { return has_refused_; }
  /// Makes `withdrawn`, which is in no scope and no source any more, ready when no lock is held.
  void wake_later(leaf_wait& withdrawn) noexcept;
  /// `found` is to forward the request.
  void add(forwarding_wait& found) noexcept MAGPIE_REQUIRES(*found.scope);
  /// Calls `call`, which no other round is given, when no lock is held. Returns false if this round
  /// has refused it.
  [[nodiscard]] bool call_later(std::shared_ptr<foreign_call> call) noexcept;

 private:
  void push(forwarding_wait& wait) noexcept;
  void forward_all() noexcept;
  void forward_to(task_state_base& task, forwarding_wait& from) noexcept;
  void remove(forwarding_wait& done) noexcept;
  [[nodiscard]] bool notify_some(cancel_scope& scope, round_place& place) noexcept;
  void wake_all() noexcept;
  void make_calls() noexcept;

  const std::shared_ptr<const std::string> reason_;
  std::shared_ptr<foreign_call> calls_;
  leaf_wait* first_woken_ = nullptr;  // linked by `next`
  leaf_wait* last_woken_ = nullptr;
  bool is_in_hurry_ = false;
  bool has_refused_ = false;
  bool must_forward_ = false;                // there is a wait that could not be added
  std::uint64_t number_ = 0;                 // of the turn to forward; 0 before that
  const task_state_base* origin_ = nullptr;  // the task that the request was made to, or in
  forwarding_wait* top_ = nullptr;           // of the stack of waits that forward
};

}  // namespace magpie::detail
