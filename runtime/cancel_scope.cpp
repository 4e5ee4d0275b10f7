#include <magpie/detail/cancel_scope.hpp>

#include <algorithm>
#include <magpie/detail/cancel_round.hpp>
#include <utility>

#include "runtime/lock_bit.hpp"

namespace magpie::detail {

void cancel_scope::lock_slowly() noexcept { lock_bit_slowly(word_, scope_word::lock_bit); }

cancel_scope::request_numbers cancel_scope::last_requests() const noexcept {
  if (!look().is_nested()) return {due(), 0};
  const auto& nested = static_cast<const nested_scope&>(*this);
  return {nested.from_task_.load(std::memory_order_relaxed),
          std::max(nested.from_outer_.load(std::memory_order_relaxed),
                   nested.own_.load(std::memory_order_relaxed))};
}

template <class Enter, class Visit>
void cancel_scope::walk(Enter enter, Visit visit) noexcept {
  cancel_scope* scope = this;
  scope_member* each = members_;
  for (;;) {
    if (each == nullptr) {
      if (scope == this) return;
      auto& left = static_cast<nested_scope&>(*scope);
      scope = left.parent_;
      each = left.next_;
      left.unlock();
    } else if (each->is_scope()) {
      auto& inner = static_cast<nested_scope&>(*each);
      inner.lock();
      enter(inner);
      scope = &inner;
      each = inner.members_;
    } else {
      scope_member* const following = each->next_;  // read first: the visit may unlink the wait
      visit(*each);
      each = following;
    }
  }
}

void cancel_scope::forget_task_requests() noexcept {
  if (!look().is_nested()) set_due(0);
  const auto forget = [](nested_scope& inner) noexcept {
    inner.assume_locked();
    inner.from_task_.store(0, std::memory_order_release);
    inner.update_due();
  };
  walk(forget, [](scope_member&) noexcept {});
}

time_point cancel_scope::earliest_deadline() noexcept {
  time_point earliest = time_point::max();
  for (cancel_scope* scope = this; scope->look().is_nested();) {
    auto& nested = static_cast<nested_scope&>(*scope);
    const lock_guard guard(nested);
    earliest = std::min(earliest, nested.own_deadline());
    scope = &nested.parent();
  }
  return earliest;
}

cancel_scope& cancel_scope::root() noexcept {
  return look().is_nested() ? *static_cast<nested_scope&>(*this).root_ : *this;
}

void cancel_scope::notify_members(cancel_round& round) noexcept {
  const auto hand_down = [](nested_scope& inner) noexcept {
    inner.assume_locked();
    inner.take_over_requests();
  };
  walk(hand_down, [&](scope_member& wait) noexcept { wait.operations_.notify(wait, round); });
}

bool cancel_scope::notify_some(cancel_round& round, round_place& place) noexcept {
  scope_member* each = members_;
  if (std::exchange(place.is_linked_, false)) {
    each = place.next_;
    unlink(place);
  }
  for (std::size_t left = most_at_once; each != nullptr && left != 0; --left) {
    scope_member* const following = each->next_;  // read first: a wait may leave the scope
    if (!each->is_scope()) {
      each->operations_.notify(*each, round);
      if (round.has_refused()) break;
    } else if (round.is_in_hurry()) {
      break;
    } else {
      auto& inner = static_cast<nested_scope&>(*each);
      const lock_guard<cancel_scope> guard(inner);
      inner.take_over_requests();
      inner.notify_members(round);
    }
    each = following;
  }
  if (each == nullptr) return true;
  insert(place, *each);
  place.is_linked_ = true;
  return false;
}

void cancel_scope::describe_members(wait_descriptions& into) noexcept {
  const auto note_timeout = [&](const nested_scope& inner) noexcept {
    inner.assume_locked();
    into.add_timeout(inner.own_deadline());
  };
  walk(note_timeout, [&](const scope_member& wait) noexcept {
    if (!into.is_full()) wait.operations_.describe(wait, into);
  });
}

cancel_scope::delivered cancel_scope::note_delivery(std::uint64_t told) noexcept {
  const lock_guard guard(*this);
  const std::uint64_t last = due();
  if (last <= told) return {source::none, told};
  for (cancel_scope* each = this; each->look().is_nested();) {
    auto& nested = static_cast<nested_scope&>(*each);
    nested.note_delivery_of(told, last);
    each = &nested.parent();
  }
  return {last_requests().to_task > told ? source::task : source::nested_scope, last};
}

bool cancel_scope::contains(const void* other) noexcept {
  bool is_found = this == other;
  const lock_guard guard(*this);
  walk(
      [&](const nested_scope& inner) noexcept {
        is_found |= static_cast<const cancel_scope*>(&inner) == other;
      },
      [](scope_member&) noexcept {});
  return is_found;
}

std::uint64_t nested_scope::enter(std::coroutine_handle<> awaiting,
                                  end_function when_ended) noexcept {
  worker& here = worker::here();
  parent_ = static_cast<cancel_scope*>(here.context());
  root_ = &parent_->root();
  set_hook(when_ended, continuation(awaiting));
  here.set_context(static_cast<cancel_scope*>(this));
  const lock_guard guard(*parent_);
  const lock_guard<cancel_scope> own_guard(*this);
  parent_->link(*this);
  const request_numbers before = parent_->last_requests();
  from_task_.store(before.to_task, std::memory_order_relaxed);
  from_outer_.store(before.to_scopes, std::memory_order_relaxed);
  // A request that came before the beginning is news to the body.
  if (has_own_request()) own_.store(next_request_number(), std::memory_order_release);
  update_due();
  return last_from_outside();
}

std::optional<std::uint64_t> nested_scope::leave() noexcept {
  worker::here().set_context(parent_);
  const lock_guard guard(*parent_);
  const lock_guard<cancel_scope> own_guard(*this);
  take_over_requests();
  parent_->unlink(*this);
  const std::uint64_t told = noted_told();
  if (told == 0) return std::nullopt;  // the body was told of nothing
  // A request that was not delivered in here is news out there. Its number there may be less than
  // that of another one, which was delivered in here.
  return last_from_outside() > told ? std::min(told, parent_->due() - 1) : told;
}

/// A number of the parent's that is not greater than the own one has been taken over: the own one
/// was taken later.
void nested_scope::take_over_requests() noexcept {
  const request_numbers outside = parent_->last_requests();
  if (from_task_.load(std::memory_order_relaxed) < outside.to_task) {
    from_task_.store(next_request_number(), std::memory_order_release);
  }
  if (from_outer_.load(std::memory_order_relaxed) < outside.to_scopes) {
    from_outer_.store(next_request_number(), std::memory_order_release);
  }
  update_due();
}

}  // namespace magpie::detail
