#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <magpie/magpie.hpp>
#include <vector>

#include "support/cancel_plans.hpp"
#include "support/cancel_trees.hpp"
#include "support/counted.hpp"

// What the nodes of a cancel_trees::tree do.

namespace magpie::test::cancel_trees {

inline std::vector<task<number>> run_parts(tree& in, const plan& node) {
  std::vector<task<number>> all;
  for (const plan& each : node.parts) all.push_back(run(in, each));
  return all;
}

inline number sum_of(const std::vector<number>& values) {
  number sum = 0;
  for (const number each : values) sum += each;
  return sum;
}

inline number sum_of(const std::vector<outcome<number>>& all) {
  number sum = 0;
  for (const auto& each : all) sum += each.has_value() ? each.value() : 0;
  return sum;
}

inline task<> sleep_long(counted = counted()) { co_await sleep_for(very_long); }

inline bool a_limit_has_passed() { return current_deadline().value_or(time_point::max()) <= now(); }

/// Whether more requests than that have come to the calling task, or one to a timeout around it.
/// Not to be known once requests have been taken back.
inline bool have_come(tree& in, unsigned requests) {
  return in.has_uncancelled || a_limit_has_passed() || current_task().cancelling() > requests;
}

/// In one of four ways: two leave the request, one takes it back before it is delivered, and one
/// after that.
inline task<> cancel_itself(tree& in, std::size_t way, counted = counted()) {
  ++in.own_requests;
  if (way >= 2) in.has_uncancelled = true;
  in.check(current_task().cancel("by itself"), "cancel() refused in the task");
  if (way < 2) co_return;
  if (way == 2) current_task().uncancel();
  bool is_told = false;
  try {
    co_await yield();
  } catch (const cancelled&) {
    is_told = true;
    in.note_swallowed();
  }
  if (way == 3) {
    in.check(is_told, "a request to itself was not delivered at the next await");
    current_task().uncancel();
  } else if (is_told && in.own_requests == 1) {
    in.check(a_limit_has_passed() || current_task().cancelling() != 0, "an undone request came");
  }
}

inline task<> run_leaf(tree& in, const plan& node, counted = counted()) {
  switch (node.what) {
    case kind::yields:
      for (std::size_t i = 0; i <= node.count; ++i) co_await yield();
      break;
    case kind::checkpoints:
      for (std::size_t i = 0; i <= node.count; ++i) co_await checkpoint();
      break;
    case kind::fails:
      throw failure(in.seed, node.id);
    case kind::long_sleep:
      if (!in.has_given_up) co_await sleep_for(very_long);
      break;
    case kind::cancels_other:
      in.cancel_one(node.choice);
      break;
    case kind::cancels_itself:
      co_await cancel_itself(in, node.count);
      break;
    default:
      co_await sleep_for(node.time);
  }
}

inline task<number> run_with_permits(tree& in, const plan& node, counted = counted()) {
  const std::size_t which = in.mood == temper::quiet ? 3 : node.choice % 3;
  const std::size_t weight = 1 + (node.choice >> 8) % surroundings::permits_of(which);
  semaphore& source = in.common.semaphores[which];
  permit held = source.try_acquire(weight);
  if (!held && !in.has_given_up) held = co_await source.acquire(weight);
  co_return co_await run(in, node.parts.front());
}

/// In a quiet tree the limit stays long, in a bounded one it becomes short in the end.
inline task<number> reschedule(tree& in, const plan& node, timeout_scope& scope,
                               counted = counted()) {
  const std::array<duration, 4> limits{std::chrono::microseconds(-1), std::chrono::microseconds(50),
                                       very_long, no_limit};
  for (std::size_t i = 1; i <= node.count; ++i) {
    co_await sleep_for(node.time / 2);
    std::size_t next = (node.choice >> (2 * i)) % 4;
    if (in.mood == temper::quiet) next |= 2;
    if (in.mood == temper::bounded && i == node.count) next %= 2;
    try {
      scope.reschedule(limits[next]);
    } catch (const invalid_state&) {
      in.check(scope.expired(), "reschedule() refused before the scope had expired");
      break;
    }
  }
  co_return 0;
}

inline task<number> run_rescheduled(tree& in, const plan& node, timeout_scope& scope,
                                    counted = counted()) {
  if (node.count == 0) co_return co_await run(in, node.parts.front());
  const auto [value, nothing] =
      co_await gather(run(in, node.parts.front()), reschedule(in, node, scope));
  co_return value + nothing;
}

/// The other may in its turn wait for the task in which this runs.
inline task<number> await_other(tree& in, const plan& node, counted = counted()) {
  in.may_have_rings = true;
  const task_handle<number> other = in.one_of(node.choice);
  if (other == current_task() || in.has_given_up) co_return 0;
  if (node.count == 0) co_return co_await other;
  co_return co_await wait_for(other, node.limit);
}

inline task<number> await_spawned(tree& in, const plan& node, counted = counted()) {
  if (node.what == kind::shielded && node.count == 0) {
    co_return co_await shield(run(in, node.parts.front()));
  }
  const task_handle<number> child = in.spawn(node.parts.front());
  for (std::size_t i = 0; i < node.count; ++i) co_await yield();
  if (in.has_given_up) {
    child.cancel("nobody waits");
    co_return 0;
  }
  if (node.what == kind::shielded) co_return co_await shield(child);
  if (node.what == kind::limited_handle && node.count == 0) co_return co_await child;
  if (node.what == kind::limited_handle) co_return co_await wait_for(child, node.limit);
  co_return co_await wait_for(shield(child), node.limit);
}

inline task<number> run_within_limit(tree& in, const plan& node, counted = counted()) {
  switch (node.what) {
    case kind::awaits_other:
      co_return co_await await_other(in, node);
    case kind::limited:
      co_return co_await wait_for(run(in, node.parts.front()), node.limit);
    case kind::rescheduled:
      co_return co_await with_timeout(
          node.limit, [&](timeout_scope& scope) { return run_rescheduled(in, node, scope); });
    default:
      co_return co_await await_spawned(in, node);
  }
}

inline task<number> run_waiting(tree& in, const plan& node, counted = counted()) {
  const time_point begun = now();
  const unsigned before = current_task().cancelling();
  try {
    co_return co_await run_within_limit(in, node);
  } catch (const timeout_error&) {
    in.check(node.what == kind::rescheduled || now() - begun >= node.limit,
             "a limit passed too early");
    in.check(!in.common.is_driven || in.has_uncancelled || current_task().cancelling() == before,
             "a timeout_error in spite of a request");
    throw failure(in.seed, node.id);  // so each timeout_error is that of the next limit around it
  } catch (const cancelled&) {
    in.check(node.has_handles || have_come(in, 0), "a wait cancelled by nobody");
    throw;
  }
}

inline task<number> run_swallowing(tree& in, const plan& node, counted = counted()) {
  const unsigned before = current_task().cancelling();
  co_await checkpoint();  // delivers what has come
  std::exception_ptr told;
  try {
    co_return co_await run(in, node.parts.front());
  } catch (const cancelled&) {
    told = std::current_exception();
    in.note_swallowed();
  }
  try {
    if (node.choice % 2 != 0) co_await sleep_for(node.time);
    if (node.choice % 2 == 0) co_await wait_for(sleep_long(), node.time);
  } catch (const timeout_error&) {
  } catch (const cancelled&) {
    // A limit that passes together with a request from outside throws `cancelled`, too.
    const bool was_told = !node.has_handles && !node.has_limits;
    in.check(have_come(in, before + (was_told ? 1 : 0)), "a request delivered twice");
    throw;
  }
  if (node.count == 0) std::rethrow_exception(told);
  co_return 0;
}

inline task<number> run_handles(tree& in, const plan& node, counted = counted()) {
  std::vector<task_handle<number>> children;
  for (const plan& each : node.parts) children.push_back(in.spawn(each));
  for (std::size_t i = 0; i < node.count; ++i) co_await yield();
  if (in.has_given_up) {
    for (const auto& each : children) each.cancel("nobody waits");
    co_return 0;
  }
  if (node.what == kind::gather_handles) co_return sum_of(co_await gather(children));
  try {
    co_return sum_of(co_await gather(return_exceptions, children));
  } catch (const cancelled&) {
    const bool are_done =
        std::all_of(children.begin(), children.end(), [](const auto& each) { return each.done(); });
    in.check(are_done || in.may_have_rings, "a gather did not wait for all");
    throw;
  }
}

inline task<number> run_several(tree& in, const plan& node, counted = counted()) {
  if (node.what == kind::outcomes) {
    co_return sum_of(co_await gather(return_exceptions, run_parts(in, node)));
  }
  if (node.what == kind::gather && node.parts.size() == 2) {
    const auto [one, other] = co_await gather(run(in, node.parts[0]), run(in, node.parts[1]));
    co_return one + other;
  }
  if (node.what == kind::gather) co_return sum_of(co_await gather(run_parts(in, node)));
  number sum = 0;
  for (const plan& each : node.parts) sum += co_await run(in, each);
  co_return sum;
}

inline task<number> run(tree& in, const plan& node, counted) {
  switch (node.what) {
    case kind::acquire:
      co_return node.id + co_await run_with_permits(in, node);
    case kind::swallows:
      co_return node.id + co_await run_swallowing(in, node);
    case kind::sequence:
    case kind::gather:
    case kind::outcomes:
      co_return node.id + co_await run_several(in, node);
    case kind::gather_handles:
    case kind::handle_outcomes:
      co_return node.id + co_await run_handles(in, node);
    default:
      if (node.parts.size() == 1 || node.what == kind::awaits_other) {
        co_return node.id + co_await run_waiting(in, node);
      }
      co_await run_leaf(in, node);
      co_return node.id;
  }
}

inline task<number> run_whole(tree& in, counted) {
  if (in.mood <= temper::bounded) co_return co_await run(in, in.whole);
  in.deadline = now() + in.limit;  // a little before that of the wait
  try {
    co_return co_await wait_for(run(in, in.whole), in.limit);
  } catch (const timeout_error&) {
    in.check(now() >= in.deadline, "the limit of the whole passed too early");
    throw failure(in.seed, 0);
  }
}

}  // namespace magpie::test::cancel_trees
