#!/usr/bin/env python3
"""Spoils the lock-free parts in one place at a time; each time the model checker must notice.

Without arguments: all mutants, with clang++-19. A name, or a part of one, runs those alone.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

MODELS = pathlib.Path(__file__).resolve().parent
ROOT = MODELS.parent.parent
SECONDS_PER_RUN = 300


@dataclasses.dataclass(frozen=True)
class Mutant:
    model: str  # that must fail
    file: str
    name: str
    changes: tuple  # of an original, which is there exactly once, and what takes its place, each


def fork_lane(name, *texts, file="scheduler/magpie/detail/fork_lane.hpp"):
    return Mutant("fork_lane_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def idle(name, *texts, file="scheduler/idle.hpp"):
    return Mutant("idle_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def ready_ring(name, *texts):
    return Mutant("ready_ring_model", "scheduler/ready_ring.hpp", name,
                  tuple(zip(texts[::2], texts[1::2], strict=True)))


def registry(name, *texts, file="runtime/registry.cpp"):
    return Mutant("registry_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def join(name, *texts, file="runtime/join.cpp"):
    return Mutant("join_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def contest(name, *texts, file="runtime/contest.cpp"):
    return Mutant("contest_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def children(name, *texts, file="runtime/child_tasks.cpp"):
    return Mutant("child_tasks_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def cancel(name, *texts, file="runtime/leaf_wait.cpp"):
    return Mutant("cancel_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def completion(name, *texts, file="runtime/task_state.cpp"):
    return Mutant("completion_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


def forked_call(name, *texts, file="scheduler/forked_call.cpp"):
    return Mutant("forked_call_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


MUTANTS = [
    # The memory orders.
    fork_lane("push moves bottom relaxed",
              "bottom_.store(bottom + 1, std::memory_order_release);",
              "bottom_.store(bottom + 1, std::memory_order_relaxed);"),
    fork_lane("raid reads bottom relaxed",
              "const std::int64_t bottom = bottom_.load(std::memory_order_acquire);",
              "const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);"),
    fork_lane("raid moves split relaxed",
              "      split_.store(split, std::memory_order_release);",
              "      split_.store(split, std::memory_order_relaxed);"),
    fork_lane("expose moves split relaxed",
              "split_.store(raised, std::memory_order_release);",
              "split_.store(raised, std::memory_order_relaxed);"),
    fork_lane("raid closes the guard relaxed",
              "expected, guard::is_raided, std::memory_order_acquire,",
              "expected, guard::is_raided, std::memory_order_relaxed,"),
    fork_lane("raid opens the guard relaxed",
              "    release_guard(split);\n  }\n\n  /// Any thread: a snapshot",
              "    guard_.store(Sync::is_symmetric() ? guard::is_fenced : split, "
              "std::memory_order_relaxed);\n  }\n\n  /// Any thread: a snapshot"),
    fork_lane("the owner takes the guard relaxed",
              "compare_exchange_weak(seen.word, guard::is_busy, std::memory_order_acquire,",
              "compare_exchange_weak(seen.word, guard::is_busy, std::memory_order_relaxed,"),
    fork_lane("pop opens the guard relaxed",
              "    release_guard(split);\n    return item;",
              "    guard_.store(Sync::is_symmetric() ? guard::is_fenced : split, "
              "std::memory_order_relaxed);\n    return item;"),
    fork_lane("pop lowers split with release only",
              "split_.store(lowered, std::memory_order_seq_cst);",
              "split_.store(lowered, std::memory_order_release);"),
    fork_lane("pop looks at the thieves with acquire only",
              "      tail = tail_.load(std::memory_order_seq_cst);",
              "      tail = tail_.load(std::memory_order_acquire);"),
    fork_lane("steal reads split with acquire only",
              "const std::int64_t split = split_.load(std::memory_order_seq_cst);",
              "const std::int64_t split = split_.load(std::memory_order_acquire);"),
    fork_lane("steal reads split relaxed",
              "const std::int64_t split = split_.load(std::memory_order_seq_cst);",
              "const std::int64_t split = split_.load(std::memory_order_relaxed);"),
    fork_lane("steal takes with acq_rel only",
              "    if (!tail_.compare_exchange_strong(tail, tail + 1, std::memory_order_seq_cst,\n"
              "                                       std::memory_order_relaxed)) {\n"
              "      return",
              "    if (!tail_.compare_exchange_strong(tail, tail + 1, std::memory_order_acq_rel,\n"
              "                                       std::memory_order_relaxed)) {\n"
              "      return"),
    fork_lane("steal reads the buffer relaxed",
              "buffer* slots = buffer_.load(std::memory_order_acquire);",
              "buffer* slots = buffer_.load(std::memory_order_relaxed);"),
    fork_lane("grow publishes relaxed",
              "buffer_.store(&current, std::memory_order_release);",
              "buffer_.store(&current, std::memory_order_relaxed);"),
    # The order of steps.
    fork_lane("push moves bottom before it writes the slot",
              "    slots_[bottom & mask_].store(&item, std::memory_order_relaxed);\n"
              "    bottom_.store(bottom + 1, std::memory_order_release);\n",
              "    bottom_.store(bottom + 1, std::memory_order_release);\n"
              "    slots_[bottom & mask_].store(&item, std::memory_order_relaxed);\n"),
    fork_lane("pop looks at the guard before it moves bottom",
              "    lower_bottom(newest);\n"
              "    if (look_at_guard().bars(newest))",
              "    const guard seen = look_at_guard();\n"
              "    lower_bottom(newest);\n"
              "    if (seen.bars(newest))"),
    fork_lane("pop_if looks at the guard before it moves bottom",
              "    lower_bottom(newest);\n"
              "    return look_at_guard().bars(newest)",
              "    const guard seen = look_at_guard();\n"
              "    lower_bottom(newest);\n"
              "    return seen.bars(newest)"),
    fork_lane("pop looks at the thieves before it lowers split",
              "      split_.store(lowered, std::memory_order_seq_cst);\n"
              "      tail = tail_.load(std::memory_order_seq_cst);\n",
              "      tail = tail_.load(std::memory_order_seq_cst);\n"
              "      split_.store(lowered, std::memory_order_seq_cst);\n"),
    fork_lane("steal reads split before tail",
              "    std::int64_t tail = tail_.load(std::memory_order_seq_cst);\n"
              "    const std::int64_t split = split_.load(std::memory_order_seq_cst);\n",
              "    const std::int64_t split = split_.load(std::memory_order_seq_cst);\n"
              "    std::int64_t tail = tail_.load(std::memory_order_seq_cst);\n"),
    fork_lane("steal reads the buffer before tail",
              "steal_while(T*& item, Condition holds) noexcept {\n",
              "steal_while(T*& item, Condition holds) noexcept {\n"
              "    buffer* slots = buffer_.load(std::memory_order_acquire);\n",
              "    buffer* slots = buffer_.load(std::memory_order_acquire);\n    // Read",
              "    // Read"),
    fork_lane("steal reads the slot after the exchange",
              "    item = candidate;\n",
              "    item = slots->at(tail).load(std::memory_order_relaxed);\n"),
    fork_lane("grow publishes before it copies",
              "    for (std::int64_t i = tail; i < bottom; ++i) {",
              "    buffer_.store(larger.get(), std::memory_order_release);\n"
              "    for (std::int64_t i = tail; i < bottom; ++i) {"),
    # The raid against the owner that knows nothing of it.
    fork_lane("raid has no fence",
              "    Sync::heavy_fence();\n",
              ""),
    fork_lane("the owner has no fence",
              "    Sync::light_half();\n",
              ""),
    fork_lane("raid has its fence before it closes the guard",
              "    std::int64_t expected = guard::is_wanted;\n",
              "    std::int64_t expected = guard::is_wanted;\n    Sync::heavy_fence();\n",
              "    }\n    Sync::heavy_fence();\n",
              "    }\n"),
    fork_lane("raid has its fence after the look at bottom",
              "    Sync::heavy_fence();\n    // A pop",
              "    // A pop",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n    if",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n"
              "    Sync::heavy_fence();\n    if"),
    fork_lane("the owner does not wait for the end of the raid",
              "if (seen.has_raider()) {",
              "if (false) {"),
    fork_lane("raid does not close the guard",
              "expected, guard::is_raided, std::memory_order_acquire,",
              "expected, guard::is_wanted, std::memory_order_acquire,"),
    fork_lane("raid does not care who has the guard",
              "    std::int64_t expected = guard::is_wanted;\n",
              "    std::int64_t expected = guard_.load(std::memory_order_relaxed);\n"),
    fork_lane("raid breaks into a raid",
              "    std::int64_t expected = guard::is_wanted;\n",
              "    std::int64_t expected = guard_.load(std::memory_order_relaxed);\n"
              "    if (expected != guard::is_raided) expected = guard::is_wanted;\n"),
    fork_lane("raid breaks in on the busy owner",
              "    std::int64_t expected = guard::is_wanted;\n",
              "    std::int64_t expected = guard_.load(std::memory_order_relaxed);\n"
              "    if (expected != guard::is_busy) expected = guard::is_wanted;\n"),
    fork_lane("raid goes on without the guard",
              "std::memory_order_relaxed)) {\n      return;\n    }\n    Sync::heavy_fence();",
              "std::memory_order_relaxed)) {\n    }\n    Sync::heavy_fence();"),
    fork_lane("raid exposes one item too many",
              "      split = bottom;\n",
              "      split = bottom + 1;\n"),
    fork_lane("raid moves split back",
              "    if (bottom > split) {\n",
              "    {\n"),
    fork_lane("raid opens the guard before it moves split",
              "    if (bottom > split) {\n",
              "    release_guard(bottom > split ? bottom : split);\n"
              "    if (bottom > split) {\n"),
    fork_lane("raid leaves the guard as it was before",
              "    release_guard(split);\n  }\n\n  /// Any thread: a snapshot",
              "    release_guard(before);\n  }\n\n  /// Any thread: a snapshot",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n    if",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n"
              "    const std::int64_t before = split;\n    if"),
    fork_lane("raid leaves the guard closed",
              "    release_guard(split);\n  }\n\n  /// Any thread: a snapshot",
              "  }\n\n  /// Any thread: a snapshot"),
    fork_lane("ask overwrites the busy owner",
              "if (seen.is_calm()) {",
              "if (seen.word < guard::is_wanted) {"),
    fork_lane("ask overwrites a raid",
              "if (seen.is_calm()) {",
              "if (seen.word != guard::is_busy) {"),
    # The guard of a lane without fences.
    fork_lane("the guard of a symmetric lane is calm",
              "Sync::is_symmetric() ? guard::is_fenced : split",
              "split"),
    fork_lane("raid leaves the guard of a symmetric lane calm",
              "    release_guard(split);\n  }\n\n  /// Any thread: a snapshot",
              "    guard_.store(split, std::memory_order_release);\n  }\n\n"
              "  /// Any thread: a snapshot"),
    fork_lane("the guard of a new lane is calm",
              "    release_guard(0);\n",
              ""),
    fork_lane("ask leaves a symmetric lane alone",
              "if (seen.is_calm()) {",
              "if (seen.word < guard::is_fenced) {"),
    fork_lane("ask takes a busy owner for a fenced one",
              "is_busy = is_fenced + 1;",
              "is_busy = is_fenced - 1;",
              file="scheduler/magpie/detail/fork_lane_guard.hpp"),
    fork_lane("a symmetric guard is below the indices",
              "? guard::is_fenced : split",
              "? -1 : split"),
    fork_lane("ask does not compare",
              "      guard_.compare_exchange_strong(seen.word, guard::is_wanted, std::memory_order_relaxed,\n"
              "                                     std::memory_order_relaxed);\n",
              "      guard_.store(guard::is_wanted, std::memory_order_relaxed);\n"),
    fork_lane("the owner takes the guard without the exchange",
              "} else if (guard_.compare_exchange_weak(seen.word, guard::is_busy, "
              "std::memory_order_acquire,\n"
              "                                              std::memory_order_relaxed)) {\n",
              "} else {\n        guard_.store(guard::is_busy, std::memory_order_relaxed);\n"),
    fork_lane("the owner forgets that a raid moved split",
              "        return split_.load(std::memory_order_relaxed);\n",
              "        return known_split_;\n",
              "    release_guard(split);\n  }\n\n  /// Owner only, after a push that said `full`",
              "    release_guard(known_split_ = split);\n  }\n\n"
              "  /// Owner only, after a push that said `full`",
              "    release_guard(split);\n    return item;",
              "    release_guard(known_split_ = split);\n    return item;",
              "  std::int64_t limit_ = 0;",
              "  std::int64_t known_split_ = 0;\n  std::int64_t limit_ = 0;"),
    fork_lane("answer does not take the guard",
              "    std::int64_t split = take_guard(seen);\n    if",
              "    seen = look_at_guard();\n"
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n    if"),
    fork_lane("pop does not take the guard",
              "    std::int64_t split = take_guard(seen);\n    T* item",
              "    seen = look_at_guard();\n"
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n    T* item"),
    fork_lane("finish_pop_if does not take the guard",
              "    return pop_guarded(bottom_.load(std::memory_order_relaxed)) != nullptr;",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n"
              "    return bottom_.load(std::memory_order_relaxed) >= split ||\n"
              "           pop_public(split) != nullptr;"),
    fork_lane("finish_pop_if trusts the glance at the slot",
              "    return pop_guarded(bottom_.load(std::memory_order_relaxed)) != nullptr;",
              "    static_cast<void>(pop_guarded(bottom_.load(std::memory_order_relaxed)));\n"
              "    return true;"),
    fork_lane("finish_pop_if pops once more",
              "pop_guarded(bottom_.load(std::memory_order_relaxed)) != nullptr;",
              "pop() != nullptr;"),
    # What is public, and when.
    fork_lane("push does not answer",
              "    return look_at_guard().bars(bottom) ? push_result::marked : push_result::calm;\n",
              "    return push_result::calm;\n"),
    fork_lane("push exposes nothing",
              "    if (seen.has_request() && split < bottom) split = expose(split, bottom);\n",
              ""),
    fork_lane("pop exposes nothing",
              "      if (seen.has_request() && split < newest) split = expose(split, newest);\n",
              ""),
    fork_lane("pop exposes the item that it takes",
              "      if (seen.has_request() && split < newest) split = expose(split, newest);\n",
              "      if (seen.has_request()) split = expose(split, newest + 1);\n"),
    fork_lane("expose goes one item too far",
              "split + (bottom - split + 1) / 2;",
              "split + (bottom - split + 1);"),
    fork_lane("expose rounds down",
              "split + (bottom - split + 1) / 2;",
              "split + (bottom - split) / 2;"),
    fork_lane("the owner does not tell itself what it exposed",
              "split < bottom) split = expose(split, bottom);",
              "split < bottom) expose(split, bottom);"),
    fork_lane("pop looks at the guard one item late",
              "if (look_at_guard().bars(newest)) [[unlikely]]",
              "if (look_at_guard().bars(newest + 1)) [[unlikely]]"),
    fork_lane("pop_if looks at the guard one item late",
              "return look_at_guard().bars(newest) ?",
              "return look_at_guard().bars(newest + 1) ?"),
    fork_lane("pop takes a public item for its own",
              "if (newest >= split) {",
              "if (newest + 1 >= split) {"),
    fork_lane("pop takes its own item for a public one",
              "if (newest >= split) {",
              "if (newest > split) {"),
    fork_lane("pop does not look at the thieves again",
              "      tail = tail_.load(std::memory_order_seq_cst);\n",
              ""),
    fork_lane("pop does not mind a thief at the lowered split",
              "if (tail >= lowered) split_",
              "if (tail > lowered) split_"),
    fork_lane("pop does not mind thieves above the lowered split",
              "        if (tail >= lowered) "
              "split_.store(lowered = tail + 1, std::memory_order_release);\n",
              ""),
    fork_lane("pop keeps the item that a thief may be taking",
              "lowered = tail + 1, std",
              "lowered = tail, std"),
    fork_lane("pop does not tell the thieves of the last item for them",
              "split_.store(lowered = tail + 1, std::memory_order_release);",
              "lowered = tail + 1;"),
    fork_lane("pop takes back only what it pops",
              "split - (split - tail) / 2;",
              "split - (split - tail > 1 ? 1 : 0);"),
    fork_lane("pop never takes back",
              "    if (lowered < split) {\n",
              "    if (lowered < 0) {\n"),
    # Who has the last item.
    fork_lane("pop takes the last item without the exchange",
              "if (tail < newest) {",
              "if (tail <= newest) {"),
    fork_lane("pop exchanges for an item that is not the last",
              "if (tail < newest) {",
              "if (tail < 0) {"),
    fork_lane("pop never takes the last item",
              "if (tail == newest && tail_",
              "if (tail == newest + 1 && tail_"),
    fork_lane("pop takes a stolen item",
              "if (tail == newest && tail_",
              "if (tail >= newest && tail_"),
    fork_lane("pop keeps the item after a lost race",
              "    T* item = nullptr;\n    if (tail == newest",
              "    T* item = tail > newest ? nullptr\n"
              "                            : slots_[newest & mask_].load("
              "std::memory_order_relaxed);\n    if (tail == newest"),
    fork_lane("pop does not put split back",
              "    split_.store(split, std::memory_order_release);\n    bottom_",
              "    bottom_"),
    fork_lane("pop does not put bottom back",
              "    bottom_.store(split, std::memory_order_release);\n",
              ""),
    fork_lane("steal takes from the empty lane",
              "if (tail >= split) {",
              "if (tail > split) {"),
    fork_lane("steal keeps the item after a lost race",
              "return steal_result::lost_race;",
              "item = candidate;\n      return steal_result::stolen;"),
    fork_lane("steal calls a lost race an empty lane",
              "return steal_result::lost_race;",
              "return steal_result::empty;"),
    fork_lane("steal calls hidden items an empty lane",
              "> split ? steal_result::hidden",
              "> split ? steal_result::empty"),
    fork_lane("steal calls the empty lane hidden",
              "bottom_.load(std::memory_order_relaxed) > split ?",
              "bottom_.load(std::memory_order_relaxed) >= split ?"),
    fork_lane("pop_if takes whatever is newest",
              "    if (slots_[newest & mask_].load(std::memory_order_relaxed) != &item) "
              "[[unlikely]]\n      return pop_if_result::other;\n",
              "    static_cast<void>(item);\n"),
    fork_lane("pop_if trusts its glance at the slot",
              "    return look_at_guard().bars(newest) ? pop_if_result::marked : "
              "pop_if_result::popped;\n",
              "    return pop_if_result::popped;\n"),
    fork_lane("pop_if glances at the wrong slot",
              "    if (slots_[newest & mask_]",
              "    if (slots_[(newest + 1) & mask_]"),
    fork_lane("looks_empty does not see the empty lane",
              "return tail_.load(std::memory_order_acquire) >=",
              "return tail_.load(std::memory_order_acquire) >"),
    fork_lane("looks_empty does not see hidden items",
              ">= bottom_.load(std::memory_order_acquire);",
              ">= split_.load(std::memory_order_acquire);"),
    # The ring.
    fork_lane("push asks for room one item late",
              "if (bottom == limit_) [[unlikely]]",
              "if (bottom == limit_ + 1) [[unlikely]]"),
    fork_lane("make_room takes the split for the tail",
              "const std::int64_t tail = tail_.load(std::memory_order_acquire);\n    limit_",
              "const std::int64_t tail = split_.load(std::memory_order_acquire);\n    limit_"),
    fork_lane("the limit lies beyond the split, not the tail",
              "limit_ = tail + mask_ + 1;",
              "limit_ = split_.load(std::memory_order_relaxed) + mask_ + 1;"),
    fork_lane("the limit in the old ring is one too high",
              "limit_ = tail + mask_ + 1;",
              "limit_ = tail + mask_ + 2;"),
    fork_lane("the limit in the new ring is one too high",
              "limit_ = tail + current.capacity;",
              "limit_ = tail + current.capacity + 1;"),
    fork_lane("the limit in the new ring begins at the first index",
              "limit_ = tail + current.capacity;",
              "limit_ = current.capacity;",
              "std::int64_t tail) noexcept {",
              "std::int64_t) noexcept {"),
    fork_lane("grow does not grow",
              "static_cast<std::size_t>(owned_->capacity) * 2",
              "static_cast<std::size_t>(owned_->capacity)"),
    fork_lane("make_room does not grow",
              "return bottom != limit_ || grow(tail, bottom);",
              "return true;"),
    fork_lane("grow forgets the oldest item",
              "for (std::int64_t i = tail; i < bottom; ++i) {",
              "for (std::int64_t i = tail + 1; i < bottom; ++i) {"),
    fork_lane("grow forgets the newest item",
              "for (std::int64_t i = tail; i < bottom; ++i) {",
              "for (std::int64_t i = tail; i < bottom - 1; ++i) {"),
    fork_lane("grow does not publish",
              "    buffer_.store(&current, std::memory_order_release);\n",
              "    if (current.outgrown == nullptr) {\n"
              "      buffer_.store(&current, std::memory_order_release);\n    }\n"),
    fork_lane("the owner keeps the old mask",
              "    mask_ = current.capacity - 1;\n",
              "    if (mask_ == 0) mask_ = current.capacity - 1;\n"),
    fork_lane("grow frees the outgrown buffer",
              "    larger->outgrown = std::move(owned_);\n",
              ""),
    fork_lane("half of the ring is not used",
              "index & (capacity - 1)",
              "index & (capacity / 2 - 1)"),
    # Publishing against falling asleep.
    idle("notify has no fence",
         "    Sync::light_fence();\n",
         ""),
    idle("notify has its fence after the look",
         "    Sync::light_fence();\n"
         "    if (idle_word::wants_waking(word_.load(std::memory_order_relaxed))) wake_one();\n",
         "    const bool wanted = idle_word::wants_waking(word_.load(std::memory_order_relaxed));\n"
         "    Sync::light_fence();\n"
         "    if (wanted) wake_one();\n"),
    idle("notify wants two sleepers",
         "return word < 0;",
         "return word < -1;",
         file="scheduler/magpie/detail/idle_word.hpp"),
    idle("nobody searches when few sleep",
         "return (word + one_searching - 1) >> 32;",
         "return word >> 32;",
         file="scheduler/magpie/detail/idle_word.hpp"),
    idle("park has no fence",
         "    Sync::heavy_fence();\n    return !has_work()",
         "    return !has_work()"),
    idle("park does not look again",
         "    return !has_work() || !withdraw(worker);\n",
         "    static_cast<void>(has_work);\n"
         "    return true;\n"),
    idle("park looks before it tells that it sleeps",
         "    sleepers_.push_back(worker);\n",
         "    Sync::heavy_fence();\n"
         "    const bool work = has_work();\n"
         "    sleepers_.push_back(worker);\n",
         "    Sync::heavy_fence();\n    return !has_work()",
         "    return !work"),
    # Waking in a chain.
    idle("end_search wakes nobody",
         "    if (has_work()) wake_one();\n",
         ""),
    idle("end_search has no fence",
         "    Sync::heavy_fence();\n    if (has_work()) wake_one();",
         "    if (has_work()) wake_one();"),
    idle("end_search looks while it still counts as searching",
         "    const std::int64_t before =\n",
         "    Sync::heavy_fence();\n"
         "    const bool work = has_work();\n"
         "    const std::int64_t before =\n",
         "    Sync::heavy_fence();\n    if (has_work()) wake_one();",
         "    if (work) wake_one();"),
    idle("end_search wakes only where nobody sleeps",
         "idle_word::sleeping(before) == 0",
         "idle_word::sleeping(before) != 0"),
    # The books.
    idle("start_search is not counted",
         "    word_.fetch_add(idle_word::one_searching, std::memory_order_seq_cst);\n",
         ""),
    idle("park still counts as searching",
         "idle_word::one_sleeping - idle_word::one_searching, std::memory_order_seq_cst",
         "idle_word::one_sleeping, std::memory_order_seq_cst"),
    idle("park is not on the list",
         "    sleepers_.push_back(worker);\n",
         ""),
    idle("wake_one leaves the sleeper on the list",
         "    sleepers_.pop_back();\n"
         "    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, "
         "std::memory_order_seq_cst);\n"
         "    mutex_.unlock();\n"
         "    parkers_",
         "    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, "
         "std::memory_order_seq_cst);\n"
         "    mutex_.unlock();\n"
         "    parkers_"),
    idle("wake_one does not count",
         "    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, "
         "std::memory_order_seq_cst);\n"
         "    mutex_.unlock();\n"
         "    parkers_",
         "    mutex_.unlock();\n"
         "    parkers_"),
    idle("wake_one wakes before it counts",
         "    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, "
         "std::memory_order_seq_cst);\n"
         "    mutex_.unlock();\n"
         "    parkers_[worker].unpark();\n",
         "    mutex_.unlock();\n"
         "    parkers_[worker].unpark();\n"
         "    word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping, "
         "std::memory_order_seq_cst);\n"),
    idle("wake_one does not wake",
         "    mutex_.unlock();\n    parkers_[worker].unpark();\n",
         "    mutex_.unlock();\n    static_cast<void>(worker);\n"),
    idle("withdraw has no mutex",
         "  bool withdraw(std::size_t worker) {\n    mutex_.lock();\n",
         "  bool withdraw(std::size_t worker) {\n",
         "        mutex_.unlock();\n        return true;",
         "        return true;",
         "    mutex_.unlock();\n    return false;",
         "    return false;"),
    idle("withdraw ignores that a waker was faster",
         "    mutex_.unlock();\n    return false;",
         "    mutex_.unlock();\n    return true;"),
    idle("withdraw leaves the worker on the list",
         "        each = sleepers_.back();\n        sleepers_.pop_back();\n",
         ""),
    idle("withdraw does not count",
         "        word_.fetch_add(idle_word::one_searching - idle_word::one_sleeping,\n"
         "                        std::memory_order_seq_cst);\n",
         ""),
    idle("park does not withdraw",
         "    return !has_work() || !withdraw(worker);\n",
         "    return !has_work();\n"),
    # The stop.
    idle("park sleeps after the stop",
         "    if (stopped_) {\n      mutex_.unlock();\n      return false;\n    }\n",
         ""),
    idle("stop does not last",
         "    stopped_ = true;\n",
         ""),
    idle("stop wakes nobody",
         "    for (const std::size_t worker : sleepers_) parkers_[worker].unpark();\n",
         ""),
    idle("stop wakes only the first",
         "    for (const std::size_t worker : sleepers_) parkers_[worker].unpark();\n",
         "    if (!sleepers_.empty()) parkers_[sleepers_.front()].unpark();\n"),
    idle("stop does not count",
         "    word_.fetch_add((idle_word::one_searching - idle_word::one_sleeping) *\n"
         "                        static_cast<std::int64_t>(sleepers_.size()),\n"
         "                    std::memory_order_seq_cst);\n",
         ""),
    idle("stop keeps the list",
         "    sleepers_.clear();\n",
         ""),
    # The ready ring.
    ready_ring("ring: push moves tail relaxed",
               "tail_.store(tail + 1, std::memory_order_release);",
               "tail_.store(tail + 1, std::memory_order_relaxed);"),
    ready_ring("ring: push moves tail before it writes the slot",
               "    at(tail).store(&item, std::memory_order_relaxed);\n"
               "    tail_.store(tail + 1, std::memory_order_release);\n",
               "    tail_.store(tail + 1, std::memory_order_release);\n"
               "    at(tail).store(&item, std::memory_order_relaxed);\n"),
    ready_ring("ring: push does not move tail",
               "    tail_.store(tail + 1, std::memory_order_release);\n",
               ""),
    ready_ring("ring: push finds the ring full one item late",
               "    if (tail - known_head_ == capacity) [[unlikely]]",
               "    if (tail - known_head_ == capacity + 1) [[unlikely]]"),
    ready_ring("ring: push finds the ring full one item early",
               "      if (tail - known_head_ == capacity) return false;",
               "      if (tail - known_head_ >= capacity - 1) return false;"),
    ready_ring("ring: push does not find the ring full",
               "      if (tail - known_head_ == capacity) return false;\n",
               ""),
    ready_ring("ring: push does not ask for the head again",
               "      known_head_ = head_.load(std::memory_order_acquire);\n",
               ""),
    ready_ring("ring: push takes the tail for the head",
               "      known_head_ = head_.load(std::memory_order_acquire);\n",
               "      known_head_ = tail;\n"),
    ready_ring("ring: pop takes without the exchange",
               "      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel,\n"
               "                                      std::memory_order_relaxed)) {\n"
               "        return item;\n      }\n",
               "      head_.store(head + 1, std::memory_order_release);\n      return item;\n"),
    ready_ring("ring: pop does not look whether the ring is empty",
               "    while (head != tail) {",
               "    while (head <= tail) {"),
    ready_ring("ring: pop gives up after a lost race",
               "        return item;\n      }\n",
               "        return item;\n      }\n      return item;\n"),
    ready_ring("ring: pop_alone leaves the item",
               "    head_.store(head + 1, std::memory_order_relaxed);\n",
               ""),
    ready_ring("ring: pop_alone does not look whether the ring is empty",
               "    if (head == tail_.load(std::memory_order_relaxed)) return nullptr;\n",
               ""),
    ready_ring("ring: steal reads tail relaxed",
               "    const std::uint64_t tail = tail_.load(std::memory_order_acquire);\n    // The",
               "    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);\n    // The"),
    ready_ring("ring: steal reads tail before head",
               "    std::uint64_t head = head_.load(std::memory_order_acquire);\n"
               "    const std::uint64_t tail = tail_.load(std::memory_order_acquire);\n    // The",
               "    const std::uint64_t tail = tail_.load(std::memory_order_acquire);\n"
               "    std::uint64_t head = head_.load(std::memory_order_acquire);\n    // The",
               " || count > capacity",
               ""),
    ready_ring("ring: steal trusts an old tail",
               "    std::uint64_t head = head_.load(std::memory_order_acquire);\n    const",
               "    std::uint64_t head = head_.load(std::memory_order_relaxed);\n    const",
               " || count > capacity",
               ""),
    ready_ring("ring: steal does not care how few there are",
               "count < least || ",
               ""),
    ready_ring("ring: steal wants one more than it was told",
               "count < least",
               "count <= least"),
    ready_ring("ring: steal takes less than half",
               "(count + 1) / 2",
               "count / 2"),
    ready_ring("ring: steal takes all",
               "(count + 1) / 2",
               "count"),
    ready_ring("ring: steal takes more than it was told",
               "half < most ? half : most",
               "half"),
    ready_ring("ring: steal does not know where the ring ends",
               "items[i] = at(head + i)",
               "items[i] = at(head % capacity + i < capacity ? head + i : head)"),
    ready_ring("ring: steal takes one item and moves on by all",
               "items[i] = at(head + i)",
               "items[i] = at(head)"),
    ready_ring("ring: steal moves head by one",
               "    return head_.compare_exchange_strong(head, head + taken,",
               "    return head_.compare_exchange_strong(head, head + 1,"),
    ready_ring("ring: steal takes without the exchange",
               "    return head_.compare_exchange_strong(head, head + taken, "
               "std::memory_order_acq_rel,\n"
               "                                         std::memory_order_relaxed)\n"
               "               ? taken\n               : 0;\n",
               "    head_.store(head + taken, std::memory_order_release);\n    return taken;\n"),
    ready_ring("ring: steal keeps the items after a lost race",
               "               ? taken\n               : 0;\n",
               "               ? taken\n               : taken;\n"),
    ready_ring("ring: steal reads the slots after the exchange",
               "    for (std::size_t i = 0; i < taken; ++i) {\n"
               "      items[i] = at(head + i).load(std::memory_order_relaxed);\n    }\n"
               "    return head_.compare_exchange_strong(head, head + taken, "
               "std::memory_order_acq_rel,\n"
               "                                         std::memory_order_relaxed)\n"
               "               ? taken\n               : 0;\n",
               "    if (!head_.compare_exchange_strong(head, head + taken, "
               "std::memory_order_acq_rel,\n"
               "                                       std::memory_order_relaxed)) {\n"
               "      return 0;\n    }\n"
               "    for (std::size_t i = 0; i < taken; ++i) {\n"
               "      items[i] = at(head + i).load(std::memory_order_relaxed);\n    }\n"
               "    return taken;\n"),
    ready_ring("ring: looks_empty when it is not",
               "return head_.load(std::memory_order_acquire) == tail_",
               "return head_.load(std::memory_order_acquire) + 1 >= tail_"),
    ready_ring("ring: looks_empty never says so",
               "return head_.load(std::memory_order_acquire) == tail_",
               "return head_.load(std::memory_order_acquire) > tail_"),
    ready_ring("ring: one slot is not used",
               "slots_[index % capacity]",
               "slots_[index % (capacity - 1)]"),
    # Joins.
    join("join: an earlier child's end does not release",
         "missing_.fetch_sub(1, std::memory_order_acq_rel)",
         "missing_.fetch_sub(1, std::memory_order_acquire)"),
    join("join: an earlier child's end does not acquire",
         "missing_.fetch_sub(1, std::memory_order_acq_rel)",
         "missing_.fetch_sub(1, std::memory_order_release)"),
    join("join: the last child's end does not release",
         "missing_.fetch_add(takings, std::memory_order_acq_rel)",
         "missing_.fetch_add(takings, std::memory_order_acquire)"),
    join("join: the last child's end does not acquire",
         "missing_.fetch_add(takings, std::memory_order_acq_rel)",
         "missing_.fetch_add(takings, std::memory_order_release)"),
    join("join: a taking is not counted",
         "    ++takings_;\n",
         "",
         file="runtime/magpie/detail/join.hpp"),
    join("join: a taking is counted after the rest was offered again",
         "  taken.begin_strand(here);\n"
         "  taken.run_next(here).resume();\n",
         "  here.set_context(taken.context_);\n"
         "  const std::coroutine_handle<> child = taken.run_next(here);\n"
         "  ++taken.takings_;\n"
         "  child.resume();\n"),
    join("join: an earlier child goes on with the parent one too early",
         "missing_.fetch_sub(1, std::memory_order_acq_rel) != 1)",
         "missing_.fetch_sub(1, std::memory_order_acq_rel) != 2)"),
    join("join: an earlier child goes on before the takings are known",
         "missing_.fetch_sub(1, std::memory_order_acq_rel) != 1)",
         "missing_.fetch_sub(1, std::memory_order_acq_rel) > 1)"),
    join("join: an earlier child never goes on with the parent",
         "missing_.fetch_sub(1, std::memory_order_acq_rel) != 1)",
         "missing_.fetch_sub(1, std::memory_order_acq_rel) != 0)"),
    join("join: the last child goes on without looking at the sum",
         "missing_.fetch_add(takings, std::memory_order_acq_rel) + takings != 0)",
         "missing_.fetch_add(takings, std::memory_order_acq_rel) + takings < 0)"),
    join("join: the last child takes the sum before for the sum",
         "missing_.fetch_add(takings, std::memory_order_acq_rel) + takings != 0)",
         "missing_.fetch_add(takings, std::memory_order_acq_rel) != 0)"),
    join("join: the last child does not look for takings",
         "takings_ == 0 && parent_.is_awaiter()",
         "parent_.is_awaiter()",
         file="runtime/magpie/detail/join.hpp"),
    join("join: a join below a join is taken for one whose parent awaits",
         "takings_ == 0 && parent_.is_awaiter()",
         "takings_ == 0",
         file="runtime/magpie/detail/join.hpp"),
    join("join: a child that does not find the rest goes on with it",
         "  if (take_rest_back(here)) [[likely]]\n"
         "    return run_next(here);\n"
         "  return strand_ended();\n",
         "  static_cast<void>(take_rest_back(here));\n"
         "  return run_next(here);\n"),
    join("join: a marked unfork is taken for the rest",
         "unforked == fork_lane::pop_if_result::marked && here.settle_unfork()",
         "unforked == fork_lane::pop_if_result::marked",
         file="runtime/magpie/detail/join.hpp"),
    join("join: a marked unfork is taken for none",
         "unforked == fork_lane::pop_if_result::marked && here.settle_unfork()",
         "unforked == fork_lane::pop_if_result::popped",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the rest is forgotten when there is no room for it",
         "if (!here.settle_fork(*this, forked)) here.make_ready(*this);",
         "static_cast<void>(here.settle_fork(*this, forked));"),
    join("join: the rest is offered twice",
         "if (!here.settle_fork(*this, forked)) here.make_ready(*this);",
         "static_cast<void>(here.settle_fork(*this, forked));\n  here.make_ready(*this);"),
    join("join: the rest is not settled at the start",
         "      if (forked != fork_lane::push_result::calm) [[unlikely]]\n"
         "        return run_after_settling(here, forked, first);\n",
         "      static_cast<void>(forked);\n",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the rest is not settled later",
         "      if (forked != fork_lane::push_result::calm) [[unlikely]]\n"
         "        return run_after_settling(here, forked, child);\n",
         "      static_cast<void>(forked);\n",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the next child is read after the rest was offered",
         "    if (++next_ != count_) {\n"
         "      const auto forked = here.fork(*this);\n",
         "    if (++next_ != count_) {\n"
         "      const auto forked = here.fork(*this);\n"
         "      child = children_[next_ - 1];\n",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the next child is counted after the rest was offered",
         "    if (++next_ != count_) {\n"
         "      const auto forked = here.fork(*this);\n",
         "    if (++next_ != count_) {\n"
         "      --next_;\n"
         "      const auto forked = here.fork(*this);\n"
         "      ++next_;\n",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the first child is in the rest",
         "    next_ = 1;\n",
         "    next_ = 0;\n",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the last child is not in the rest",
         "    if (++next_ != count_) {",
         "    if (++next_ + 1 != count_) {",
         file="runtime/magpie/detail/join.hpp"),
    join("join: an only child leaves a rest",
         "    if (count != 1) {",
         "    if (count != 0) {",
         file="runtime/magpie/detail/join.hpp"),
    join("join: the last child is an earlier one",
         "index + 1 == count_ ? continuation::child::last",
         "index == count_ ? continuation::child::last",
         file="runtime/magpie/detail/join.hpp"),
    join("join: a thief runs in no context",
         "    here.set_context(context_);\n",
         "",
         file="runtime/magpie/detail/join.hpp"),
    join("join: a strand that is over touches the join",
         "std::memory_order_acq_rel) != 1) return std::noop_coroutine();",
         "std::memory_order_acq_rel) != 1) {\n"
         "    static_cast<void>(missing_.load(std::memory_order_relaxed));\n"
         "    return std::noop_coroutine();\n  }"),
    join("join: the last child's strand touches the join when others are not over",
         "    return std::noop_coroutine();\n  }\n",
         "    static_cast<void>(missing_.load(std::memory_order_relaxed));\n"
         "    return std::noop_coroutine();\n  }\n"),
    children("children: one that is being told ends its visit itself",
             "  if ((before & member::being_told) == 0) group.finish(ended, task);\n",
             "  static_cast<void>(before);\n  group.finish(ended, task);\n"),
    children("children: abort() tells without a mark",
             "  const std::uintptr_t marked = word | member::being_told;\n",
             "  const std::uintptr_t marked = word;\n"),
    children("children: abort() leaves the mark",
             "  std::uintptr_t expected = marked;\n",
             "  std::uintptr_t expected = marked + 2;\n"),
    children("children: nobody ends the visit of one that ended while it was told",
             "                                          std::memory_order_acquire)) {\n"
             "    finish(child, task);\n"
             "  }\n",
             "                                          std::memory_order_acquire)) {\n"
             "    return;\n"
             "  }\n"),
    children("children: the end does not release",
             "ended.word.exchange(member::none, std::memory_order_acq_rel)",
             "ended.word.exchange(member::none, std::memory_order_acquire)"),
    children("children: the end does not acquire",
             "ended.word.exchange(member::none, std::memory_order_acq_rel)",
             "ended.word.exchange(member::none, std::memory_order_release)"),
    children("children: abort() does not release what it told",
             "  if (!child.word.compare_exchange_strong(expected, word, std::memory_order_acq_rel,\n",
             "  if (!child.word.compare_exchange_strong(expected, word, std::memory_order_acquire,\n"),
    children("children: abort() does not acquire the end of what it told",
             "                                          std::memory_order_acquire)) {\n"
             "    finish(child, task);\n",
             "                                          std::memory_order_relaxed)) {\n"
             "    finish(child, task);\n"),
    children("children: a block does not release",
             "uses.fetch_sub(count, std::memory_order_acq_rel)",
             "uses.fetch_sub(count, std::memory_order_acquire)"),
    children("children: a block does not acquire",
             "uses.fetch_sub(count, std::memory_order_acq_rel)",
             "uses.fetch_sub(count, std::memory_order_release)"),
    children("children: a block is held that is about to go",
             "    while (count != 0) {\n",
             "    for (;;) {\n"),
    children("children: abort() does not hold the block",
             "!next->try_hold()",
             "next->uses.load(std::memory_order_relaxed) == 0",
             "  if (held != nullptr) release(*held);\n",
             ""),
    children("children: the join leaves the block open",
             "    empty = children_.close_open();\n"
             "    if (children_.is_empty()) {\n",
             "    if (children_.is_empty()) {\n"),
    children("children: a block is opened while the owner waits",
             "    children_.was_awaited_ = true;\n",
             ""),
    children("children: abort() leaves the block open",
             "    is_being_aborted_ = true;\n"
             "    empty = close_open();\n",
             "    is_being_aborted_ = true;\n"),
    children("children: a block that nobody needed has members",
             "  unsigned used = 0;  //",
             "  unsigned used = size;  //"),
    children("children: a block with failures goes",
             "  ended.around.has_failures = true;\n",
             ""),
    children("children: the last one does not look for the join",
             "    ended = remove(used);\n"
             "    joining = take_finished_join();\n",
             "    ended = remove(used);\n"),
    children("children: the first block that ends wakes the join",
             "if (joining_ == nullptr || !is_empty()) return nullptr;",
             "if (joining_ == nullptr) return nullptr;"),
    contest("contest: a contender begins too late",
            "  if (scope_.is_aborted()) {\n",
            "  if (contenders_.empty()) {\n"),
    contest("contest: one that always begins does not",
            "has_next() && contenders_[next()].begins_ == contender::beginning::in_time",
            "has_next()"),
    contest("contest: a strand that drops the rest is one of many",
            "  if (!has_next()) return last_child_ended();\n",
            "  if (!has_next()) return strand_ended();\n"),
    contest("contest: the last contender's strand looks for a rest",
            "  if (!then.is_earlier_child()) return among.last_child_ended();\n",
            ""),
    contest("contest: a strand without the rest goes on with it",
            "  return among.take_rest_back(here) ? among.run_next_in_time(here) : among.strand_ended();\n",
            "  static_cast<void>(among.take_rest_back(here));\n"
            "  return among.run_next_in_time(here);\n"),
    contest("contest: a taking is not counted",
            "  taken.begin_strand(here);\n",
            ""),
    contest("contest: the last one wins",
            "winner_.compare_exchange_strong(nobody, &ended, std::memory_order_relaxed)",
            "winner_.exchange(&ended, std::memory_order_relaxed) == nobody"),
    contest("contest: the winner ends nothing",
            "  if (has_won && !scope_.was_asked_from_outside()) scope_.abort();\n",
            "  static_cast<void>(has_won);\n"),
    contest("contest: a failure decides where a value does",
            "has_failed && decided_by_ == decided_by::value",
            "has_failed && decided_by_ == decided_by::end"),
    contest("contest: a failure replaces those before",
            "    while (!failed_.compare_exchange_weak(ended.failed_before_, &ended, "
            "std::memory_order_relaxed,\n"
            "                                          std::memory_order_relaxed)) {\n"
            "    }\n",
            "    failed_.store(&ended, std::memory_order_relaxed);\n"),
    join("join: the last failure counts",
         "compare_exchange_strong(none, &failure, std::memory_order_relaxed)",
         "store(&failure, std::memory_order_relaxed)",
         "  failure_word* none = nullptr;\n",
         ""),
    join("join: a failure stays in the join below",
         "  while (join* const above = topmost->parent_.target_join()) topmost = above;\n",
         ""),
    join("join: a failure is not noted",
         "    if (failure.has_failure()) [[unlikely]]\n      then.target_join()->note_failure(failure);\n",
         "",
         file="runtime/magpie/detail/proceed.hpp"),
    # The registry.
    registry("registry: counts go up relaxed",
             "sum.load(std::memory_order_relaxed) + count, std::memory_order_release",
             "sum.load(std::memory_order_relaxed) + count, std::memory_order_relaxed",
             file="runtime/registry.hpp"),
    registry("registry: the closing thread reads removals relaxed",
             "removed += each.removed.load(std::memory_order_acquire);",
             "removed += each.removed.load(std::memory_order_relaxed);"),
    registry("registry: additions are read before removals",
             "  std::uint64_t removed = 0;\n"
             "  for (const counts& each : counts_) removed += "
             "each.removed.load(std::memory_order_acquire);\n",
             "",
             "  return added == removed &&",
             "  std::uint64_t removed = 0;\n"
             "  for (const counts& each : counts_) removed += "
             "each.removed.load(std::memory_order_acquire);\n"
             "  return added == removed &&"),
    registry("registry: additions from outside are read before removals",
             "  std::uint64_t outside = added_outside_.load(std::memory_order_acquire);\n",
             "",
             "  std::uint64_t removed = 0;\n",
             "  std::uint64_t outside = added_outside_.load(std::memory_order_acquire);\n"
             "  std::uint64_t removed = 0;\n",
             "  return added == removed && "
             "added_outside_.compare_exchange_strong(outside, outside | closed_bit,\n"
             "                                                                    "
             "std::memory_order_acq_rel);\n",
             "  return added == removed && "
             "(added_outside_.fetch_or(closed_bit, std::memory_order_acq_rel), true);\n"),
    registry("registry: closes without comparing",
             "  return added == removed && "
             "added_outside_.compare_exchange_strong(outside, outside | closed_bit,\n"
             "                                                                    "
             "std::memory_order_acq_rel);\n",
             "  if (added != removed) return false;\n"
             "  added_outside_.store(outside | closed_bit, std::memory_order_release);\n"
             "  return true;\n"),
    registry("registry: closes whatever has come meanwhile",
             "  return added == removed && "
             "added_outside_.compare_exchange_strong(outside, outside | closed_bit,\n"
             "                                                                    "
             "std::memory_order_acq_rel);\n",
             "  return added == removed &&\n"
             "         (added_outside_.fetch_or(closed_bit, std::memory_order_acq_rel), true);\n"),
    registry("registry: does not stay closed",
             "outside | closed_bit",
             "outside"),
    registry("registry: a call from outside does not look whether it is closed",
             "if ((added_outside_.fetch_add(count, std::memory_order_relaxed) & closed_bit) == 0)"
             " return true;",
             "if (added_outside_.fetch_add(count, std::memory_order_relaxed) + count > 0)"
             " return true;"),
    registry("registry: what is added from outside is not counted",
             "std::uint64_t added = outside & ~closed_bit;",
             "std::uint64_t added = 0;"),
    registry("registry: additions are not counted in full",
             "sum.load(std::memory_order_relaxed) + count,",
             "sum.load(std::memory_order_relaxed) + (count != 0 ? 1 : 0),",
             file="runtime/registry.hpp"),
    registry("registry: workers count removals in one place",
             "raise(counts_[here.index()].removed, 1);",
             "static_cast<void>(here);\n  raise(counts_[0].removed, 1);"),
    registry("registry: workers count additions in one place",
             "raise(counts_[here.index()].added, count);",
             "static_cast<void>(here);\n    raise(counts_[0].added, count);",
             file="runtime/registry.hpp"),
    registry("registry: remove has no fence",
             "  asymmetric_fence::light();\n",
             ""),
    registry("registry: remove has its fence before the count",
             "  raise(counts_[here.index()].removed, 1);\n  asymmetric_fence::light();\n",
             "  asymmetric_fence::light();\n  raise(counts_[here.index()].removed, 1);\n"),
    registry("registry: remove looks before it counts",
             "  raise(counts_[here.index()].removed, 1);\n"
             "  asymmetric_fence::light();\n"
             "  if (is_awaited_.load(std::memory_order_relaxed)) [[unlikely]]\n    notify();\n",
             "  const bool is_awaited = is_awaited_.load(std::memory_order_relaxed);\n"
             "  raise(counts_[here.index()].removed, 1);\n"
             "  if (is_awaited) notify();\n"),
    registry("registry: remove does not look",
             "  if (is_awaited_.load(std::memory_order_relaxed)) [[unlikely]]\n    notify();\n",
             ""),
    registry("registry: notify does not notify",
             "  emptied_.notify_all();\n",
             ""),
    registry("registry: notify does without the mutex",
             "  const lock_guard lock(mutex_);\n  emptied_",
             "  emptied_"),
    registry("registry: the closing thread does not say that it waits",
             "  is_awaited_.store(true, std::memory_order_relaxed);\n",
             ""),
    registry("registry: the closing thread says so after its first look",
             "  is_awaited_.store(true, std::memory_order_relaxed);\n"
             "  asymmetric_fence::heavy();\n"
             "  const lock_guard lock(mutex_);\n",
             "  const lock_guard lock(mutex_);\n"
             "  if (close_if_empty()) return true;\n"
             "  is_awaited_.store(true, std::memory_order_relaxed);\n"
             "  asymmetric_fence::heavy();\n"
             "  bool again = false;\n",
             "while (!close_if_empty()) {",
             "while (!(std::exchange(again, true) && close_if_empty())) {"),
    registry("registry: the closing thread has no fence",
             "  asymmetric_fence::heavy();\n",
             ""),
    registry("registry: the closing thread has its fence first",
             "  is_awaited_.store(true, std::memory_order_relaxed);\n"
             "  asymmetric_fence::heavy();\n",
             "  asymmetric_fence::heavy();\n"
             "  is_awaited_.store(true, std::memory_order_relaxed);\n"),
    registry("registry: who is refused does not notify",
             "  notify();  // a closing thread may have looked in between\n",
             ""),
    registry("registry: the bit of those who are refused is counted",
             "std::uint64_t added = outside & ~closed_bit;",
             "std::uint64_t added = outside;"),
    registry("registry: refuses nobody",
             "  added_outside_.fetch_or(closed_bit, std::memory_order_relaxed);\n",
             ""),
    # Waits, requests and timeouts.
    cancel("cancel: a wait begins without a look for requests",
           "    if (seen_ == delivered) [[likely]]",
           "    if (seen_ == delivered || seen_ != 0)"),
    cancel("cancel: a wait looks for requests before it has the lock",
           "    scope->lock();\n"
           "    seen_ = scope->due();\n",
           "    seen_ = scope->due();\n"
           "    scope->lock();\n"),
    cancel("cancel: a wait that is not to begin keeps the lock",
           "    scope->unlock();\n"
           "    found_",
           "    found_"),
    cancel("cancel: a wait that is not to begin forgets what it found",
           "    if (found_ != cancel_scope::source::none) return false;\n",
           "    if (found_ != cancel_scope::source::none) {\n"
           "      found_ = cancel_scope::source::none;\n"
           "      coroutine = nullptr;\n"
           "      return false;\n"
           "    }\n"),
    cancel("cancel: the lock is not held while the wait enters its source",
           "    const bool is_waiting = enter_source();\n"
           "    if (!is_waiting) leave_locked_scope();\n"
           "    scope->unlock();\n",
           "    scope->unlock();\n"
           "    const bool is_waiting = enter_source();\n",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: the wait is touched after it was handed over",
           "    return is_waiting;\n",
           # Nobody comes in between without a step that others may come before.
           "    std::this_thread::yield();\n"
           "    return scope != nullptr;\n",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: the wait enters its source and no scope",
           "    enter_scope();\n"
           "    const bool",
           "    const bool",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: the wait enters its scope after its source",
           "    enter_scope();\n"
           "    const bool is_waiting = enter_source();\n",
           "    cancel_scope& around = *scope;\n"
           "    around.unlock();\n"
           "    const bool is_waiting = enter_source();\n"
           "    around.lock();\n"
           "    enter_scope();\n",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: a request does not take the wait out of its source",
           "wait.is_news() && wait.withdraw()",
           "wait.is_news()",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: a request takes the wait out and does not submit it",
           "wait.withdraw()) wait.leave_withdrawn(round);",
           "wait.withdraw()) return;",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: a request submits a wait that was not there",
           "wait.is_news() && wait.withdraw()",
           "wait.is_news() && (wait.withdraw() || true)",
           file="runtime/magpie/detail/leaf_wait.hpp"),
    cancel("cancel: a wait does not leave its scope",
           "  leave_locked_scope();\n"
           "  return scope->due();\n",
           "  return scope->due();\n"),
    cancel("cancel: a wait is submitted before it has left its scope",
           "  leave_locked_scope();\n"
           "  round.wake_later(*this);\n",
           "  cancel_scope& around = *scope;\n"
           "  home().wake(*this);\n"
           "  around.unlock();\n"
           "  around.lock();\n"
           "  leave_locked_scope();\n"),
    cancel("cancel: a withdrawn wait is not submitted",
           "  round.wake_later(*this);\n",
           ""),
    cancel("cancel: a withdrawn wait takes itself for one that is over",
           "  withdrawn_ = true;\n",
           "",
           "  if (leave_scope() == seen_ && !withdrawn_) [[likely]]\n"
           "    return;\n",
           "  static_cast<void>(leave_scope());\n"
           "  if (!withdrawn_) return;\n"),
    cancel("cancel: a delivery is not noted",
           "  if (from != cancel_scope::source::none) set_told(at, last);\n",
           "",
           file="runtime/delivery.cpp"),
    cancel("cancel: a coroutine that throws does not hand on what it has been told",
           "    set_told(then_.awaiter(), failure_.told());\n",
           "",
           file="runtime/branch.cpp"),
    cancel("cancel: a body that throws does not hand on what it has been told",
           "    then_.hook().note_told(failure_.told());\n",
           "",
           file="runtime/branch.cpp"),
    cancel("cancel: what a body has been told does not hold outside",
           "  if (const auto told = leave()) set_told(awaiter(), *told);\n",
           "  static_cast<void>(leave());\n",
           file="runtime/abort_scope.cpp"),
    cancel("cancel: a body that ends leaves what is on its way to it",
           "  take_over_requests();\n"
           "  parent_->unlink",
           "  parent_->unlink",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: a request is not handed down",
           "    inner.assume_locked();\n"
           "    inner.take_over_requests();\n",
           "    inner.assume_locked();\n",
           "(inner);\n"
           "      inner.take_over_requests();\n",
           "(inner);\n",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: the waits of a scope within are not notified",
           "      inner.notify_members(round);\n",
           "",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: a scope within is gone through without its lock",
           "      const lock_guard<cancel_scope> guard(inner);\n"
           "      inner.take",
           "      inner.assume_locked();\n"
           "      inner.take",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: a scope within does not enter the one around it",
           "  parent_->link(*this);\n",
           "",
           "  parent_->unlink(*this);\n",
           "",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: a scope within does not leave the one around it",
           "  parent_->unlink(*this);\n",
           "",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: a scope within leaves without the lock",
           "  const lock_guard guard(*parent_);\n"
           "  const lock_guard<cancel_scope> own_guard(*this);\n"
           "  take_over",
           "  const lock_guard<cancel_scope> own_guard(*this);\n"
           "  take_over",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: a request notifies nobody",
           "    are_all = scope.notify_some(*this, place);\n",
           "    are_all = true;\n",
           file="runtime/cancel_round.cpp"),
    cancel("cancel: a request notifies without the lock",
           "    const lock_guard guard(scope);\n"
           "    are_all",
           "    are_all",
           file="runtime/cancel_round.cpp"),
    cancel("cancel: the lock lets everybody in",
           "return !scope_word(word_.fetch_or(scope_word::lock_bit, "
           "std::memory_order_acquire)).is_locked();",
           "word_.fetch_or(scope_word::lock_bit, std::memory_order_acquire);\n"
           "    return true;",
           file="runtime/magpie/detail/cancel_scope.hpp"),
    cancel("cancel: the body ends and does not disarm",
           "  if (scope.is_armed_ && !scope.is_arming_) {\n",
           "  if (false) {\n",
           file="combinators/timeout.cpp"),
    cancel("cancel: a timer on its way out of the wheel counts as disarmed",
           "  if (!timers.disarm(*this)) return false;\n",
           "  static_cast<void>(timers.disarm(*this));\n",
           file="combinators/timeout.cpp"),
    cancel("cancel: a timer that is disarmed holds the scope",
           "  static_cast<void>(let_go());  // the caller",
           "  // the caller",
           file="combinators/timeout.cpp"),
    cancel("cancel: the body ends and leaves no note",
           "  has_ended_ = true;\n",
           "",
           file="runtime/region.cpp"),
    cancel("cancel: the end of a body is noted in two steps",
           "  has_ended_ = true;\n",
           "  has_ended_ = true;\n"
           "  unlock();\n"
           "  std::this_thread::yield();\n"
           "  lock();\n",
           file="runtime/region.cpp"),
    cancel("cancel: the body ends and does not wait for the holders of its scope",
           "  if (holders_ == 0) return awaiter();\n",
           "  if (holders_ <= 1) return awaiter();\n",
           file="runtime/region.cpp"),
    cancel("cancel: an expiry is over before the members are told",
           "    if (cancel_round().begin(*this, rest_.place)) return lock_and_let_go();\n",
           "    job* const early = lock_and_let_go();\n"
           "    if (cancel_round().begin(*this, rest_.place)) return early;\n",
           file="runtime/region.cpp"),
    cancel("cancel: an expiry is never over",
           "    if (cancel_round().begin(*this, rest_.place)) return lock_and_let_go();\n",
           "    if (cancel_round().begin(*this, rest_.place)) return nullptr;\n",
           file="runtime/region.cpp"),
    cancel("cancel: the last holder does not go on with the awaiter",
           "--holders_ == 0 && has_ended_ ? &resumption_ : nullptr",
           "--holders_ == 0 && has_ended_ ? nullptr : nullptr",
           file="runtime/magpie/detail/region.hpp"),
    cancel("cancel: the last holder always goes on with the awaiter",
           "--holders_ == 0 && has_ended_ ? &resumption_ : nullptr",
           "--holders_ == 0 ? &resumption_ : nullptr",
           file="runtime/magpie/detail/region.hpp"),
    cancel("cancel: a holder does not care about the others",
           "--holders_ == 0 && has_ended_ ? &resumption_ : nullptr",
           "(--holders_, has_ended_) ? &resumption_ : nullptr",
           file="runtime/magpie/detail/region.hpp"),
    cancel("cancel: a scope is let go without the lock",
           "  const lock_guard<cancel_scope> guard(*this);\n"
           "  return let_go();\n",
           "  const bool had_ended = has_ended_;\n"
           "  std::this_thread::yield();\n"
           "  return --holders_ == 0 && had_ended ? &resumption_ : nullptr;\n",
           file="runtime/region.cpp"),
    cancel("cancel: an expiry tells nobody",
           "    if (cancel_round().begin(*this, rest_.place)) return lock_and_let_go();\n",
           "    return lock_and_let_go();\n",
           file="runtime/region.cpp"),
    cancel("cancel: the timekeeper lets a scope go whose members another thread tells",
           "      return nullptr;\n",
           "      return lock_and_let_go();\n",
           file="runtime/region.cpp"),
    cancel("cancel: what the timekeeper leaves is not done",
           "  cancel_round().finish(*this, rest_.place);\n"
           "  if (job*",
           "  if (job*",
           file="runtime/region.cpp"),
    cancel("cancel: the thread that does the rest does not let the scope go",
           "  if (job* const awaiter = lock_and_let_go()) jobs.submit(*awaiter);\n",
           "  static_cast<void>(jobs);\n",
           file="runtime/region.cpp"),
    cancel("cancel: the rest of a round begins behind its first member",
           "    each = place.next_;\n",
           "    each = place.next_->next_;\n",
           file="runtime/cancel_scope.cpp"),
    cancel("cancel: what a part of a round has withdrawn is not woken",
           "  wake_all();\n"
           "  return are_all",
           "  return are_all",
           file="runtime/cancel_round.cpp"),
    cancel("cancel: an expiry is not marked",
           "    scope.mark_requested();\n",
           "",
           file="combinators/timeout.cpp"),
    cancel("cancel: a timeout begins unarmed",
           "    is_armed_ = true;\n"
           "    hold();\n"
           "    detail::worker",
           "    hold();\n"
           "    detail::worker",
           file="combinators/timeout.cpp"),
    cancel("cancel: a timeout is always to blame",
           "      if (is_cancelled_from_outside()) throw;\n",
           "",
           file="combinators/magpie/timeout.hpp"),
    cancel("cancel: a timeout is to blame for what is delivered with its expiry",
           "    return is_overruled_.load(std::memory_order_relaxed) ||\n",
           "    return\n",
           file="runtime/magpie/detail/cancel_scope.hpp"),
    cancel("cancel: a timeout is to blame though it came too late",
           "(outside_is_delivered_.load(std::memory_order_relaxed) && "
           "!own_request_was_delivered());",
           "false;",
           file="runtime/magpie/detail/cancel_scope.hpp"),
    cancel("cancel: a timeout is never to blame",
           "      if (is_cancelled_from_outside()) throw;\n",
           "      throw;\n",
           file="combinators/magpie/timeout.hpp"),
    cancel("cancel: a timeout is armed anew while its timer is on its way",
           "(is_armed_ && !try_disarm(home()))",
           "(is_armed_ && (static_cast<void>(try_disarm(home())), false))",
           file="combinators/timeout.cpp"),
    cancel("cancel: a body that ends while its timeout is armed anew does not go on",
           "  if (awaiter != nullptr) jobs.submit(*awaiter);\n",
           "",
           file="combinators/timeout.cpp"),
    cancel("cancel: a body that ends while its timeout is armed anew waits for the timer",
           "    if (has_ended() && is_armed_) static_cast<void>(try_disarm(jobs));\n",
           "",
           file="combinators/timeout.cpp"),
    cancel("cancel: the body ends and disarms what is being armed",
           "  if (scope.is_armed_ && !scope.is_arming_) {\n",
           "  if (scope.is_armed_) {\n",
           file="combinators/timeout.cpp"),
    cancel("cancel: a thread that arms a timer anew does not hold the scope",
           "      hold();\n"
           "      is_armed_ = true;\n"
           "      is_arming_ = true;\n",
           "      is_armed_ = true;\n"
           "      is_arming_ = true;\n",
           file="combinators/timeout.cpp"),
    cancel("cancel: a timeout is armed anew by two",
           "is_arming_ || ",
           "",
           file="combinators/timeout.cpp"),
    cancel("cancel: a timeout is unarmed after it was armed anew",
           "      is_armed_ = true;\n"
           "      is_arming_ = true;\n",
           "      is_arming_ = true;\n",
           file="combinators/timeout.cpp"),
    # The end of a task.
    completion("end: it does not look again for a request",
               "  if (due() > told && !failure) [[unlikely]] {\n",
               "  if (false) {\n"),
    completion("end: it looks for a request before it has the lock",
               "  lock();\n"
               "  if (due() > told && !failure) [[unlikely]] {\n",
               "  const bool is_asked = due() > told;\n"
               "  lock();\n"
               "  if (is_asked && !failure) [[unlikely]] {\n"),
    completion("end: it takes no lock",
               "  lock();\n"
               "  if (due() > told && !failure) [[unlikely]] {\n"
               "    // A request has come since end_task() looked. cancel() has promised that the task will be\n"
               "    // cancelled.\n"
               "    unlock();\n"
               "    operations_.drop_result(*this);\n"
               "    failure = std::make_exception_ptr(magpie::cancelled(cancel_reason()));\n"
               "    lock();\n",
               "  if (due() > told && !failure) [[unlikely]] {\n"
               "    operations_.drop_result(*this);\n"
               "    failure = std::make_exception_ptr(magpie::cancelled(cancel_reason()));\n"),
    completion("end: it keeps the lock to ask for the reason",
               "    unlock();\n"
               "    operations_.drop_result(*this);\n"
               "    failure =",
               "    operations_.drop_result(*this);\n"
               "    failure ="),
    completion("end: it is published before the outcome is there",
               "  auto how = scope_word::outcome::result;\n",
               "  change_to(scope_word(look().bits() |\n"
               "                       static_cast<std::uint64_t>(scope_word::outcome::result)));\n"
               "  auto how = scope_word::outcome::result;\n"),
    completion("end: it does not say that it was cancelled",
               "scope_word::outcome::cancelled : scope_word::outcome::failure;",
               "scope_word::outcome::failure : scope_word::outcome::failure;"),
    completion("end: it closes the list of waiters before it is published",
               "  lock();\n"
               "  if (due() > told && !failure) [[unlikely]] {\n",
               "  waiters_.lock();\n"
               "  waiter* waiting = waiters_.close();\n"
               "  waiters_.unlock();\n"
               "  lock();\n"
               "  if (due() > told && !failure) [[unlikely]] {\n",
               "  waiter* waiting = nullptr;\n"
               "  {\n",
               "  {\n",
               "    waiting = waiters_.close();\n",
               ""),
    completion("end: it closes the list of waiters without its lock",
               "    const lock_guard guard(waiters_);\n"
               "    waiting = waiters_.close();\n",
               "    waiting = waiters_.close();\n"),
    completion("end: it leaves the list of waiters open",
               "    word_.store(closed_bit | lock_bit, std::memory_order_relaxed);",
               "    word_.store(lock_bit, std::memory_order_relaxed);",
               file="runtime/magpie/detail/wait_list.hpp"),
    completion("wait: it enters a closed list",
               "  if (waiters_.is_closed()) return false;\n",
               ""),
    completion("wait: it enters the list without its lock",
               "  const lock_guard guard(waiters_);\n"
               "  if (waiters_.is_closed())",
               "  if (waiters_.is_closed())"),
    completion("wait: it leaves the list without its lock",
               "  const lock_guard guard(waiters_);\n"
               "  return waiters_.remove(who);",
               "  return waiters_.remove(who);"),
    completion("wait list: a waiter is removed from a closed list",
               "  if (is_closed() || who.previous_ == nullptr) return false;",
               "  if (who.previous_ == nullptr) return false;",
               file="runtime/magpie/detail/wait_list.hpp"),
    completion("wait list: the first stays in the list",
               "    set_first(following);\n",
               "",
               file="runtime/magpie/detail/wait_list.hpp"),
    completion("wait list: its lock does not acquire",
               "(word_.fetch_or(lock_bit, std::memory_order_acquire) & lock_bit) != 0) [[unlikely]]",
               "(word_.fetch_or(lock_bit, std::memory_order_relaxed) & lock_bit) != 0) [[unlikely]]",
               file="runtime/magpie/detail/wait_list.hpp"),
    completion("wait list: its lock does not release",
               "~lock_bit, std::memory_order_release);",
               "~lock_bit, std::memory_order_relaxed);",
               file="runtime/magpie/detail/wait_list.hpp"),
    completion("end: it tells nobody",
               "    tell(woken, here);\n",
               "    static_cast<void>(here);\n"),
    completion("end: it does not let go of the state",
               "  if (references().end_run()) dispose();\n",
               ""),
    completion("end: it lets go of the state before it is published",
               "  lock();\n"
               "  if (due() > told && !failure) [[unlikely]] {\n",
               "  const bool is_last = references().end_run();\n"
               "  lock();\n"
               "  if (due() > told && !failure) [[unlikely]] {\n",
               "  if (references().end_run()) dispose();\n",
               "  if (is_last) dispose();\n"),
    completion("end: it is published without release",
               "word_.store(next.bits(), std::memory_order_release);",
               "word_.store(next.bits(), std::memory_order_relaxed);",
               file="runtime/magpie/detail/cancel_scope.hpp"),
    completion("end: who sees it does not acquire",
               "return look(std::memory_order_acquire).has_ended();",
               "return look().has_ended();",
               "    const scope_word seen = look(std::memory_order_acquire);\n"
               "    if (!seen.has_ended()) return task_status::pending;",
               "    const scope_word seen = look();\n"
               "    if (!seen.has_ended()) return task_status::pending;",
               "look(std::memory_order_acquire).has_result()",
               "look().has_result()",
               file="runtime/magpie/detail/task_state.hpp"),
    completion("end: a reference is dropped without release",
               "fetch_sub(reference, std::memory_order_acq_rel)",
               "fetch_sub(reference, std::memory_order_acquire)",
               file="runtime/magpie/detail/task_references.hpp"),
    completion("end: the last reference is dropped without acquire",
               "fetch_sub(reference, std::memory_order_acq_rel)",
               "fetch_sub(reference, std::memory_order_release)",
               file="runtime/magpie/detail/task_references.hpp"),
    completion("end: a request after it is accepted",
               "  if (look().has_ended()) return false;\n",
               ""),
    completion("end: a request is made without the lock",
               "    const lock_guard guard(task);\n"
               "    if (!task",
               "    if (!task",
               file="runtime/cancel_round.cpp"),
    completion("end: a request is not counted",
               "  change_to(look().with_one_request_more());\n",
               ""),
    completion("end: a request is only counted",
               "  set_due(next_request_number());\n",
               ""),
    completion("end: the last request that is taken back stands",
               "  if (cancelling() == 0) forget_task_requests();\n",
               ""),
    completion("end: to take one request back takes all",
               "  if (cancelling() == 0) forget_task_requests();\n",
               "  forget_task_requests();\n"),
    completion("end: a request is taken back after it",
               "if (before.request_count() == 0 || before.has_ended()) return",
               "if (before.request_count() == 0) return"),
    completion("end: a request is taken back without the lock",
               "  const lock_guard guard(*this);\n"
               "  const scope_word before",
               "  const scope_word before"),
    completion("end: who gives up waiting goes while it is told",
               "  here.wait_until(time_point::max());  // a worker is about to wake it\n",
               ""),
    completion("end: the reason is lost",
               "  if (existing != nullptr) existing->reason = reason;\n",
               ""),
    # Forked calls.
    forked_call("call: its end does not release",
                "std::memory_order_acq_rel) == is_awaited_mark",
                "std::memory_order_acquire) == is_awaited_mark"),
    forked_call("call: the forker does not acquire its end",
                "return state_.load(std::memory_order_acquire) == is_done_mark;",
                "return state_.load(std::memory_order_relaxed) == is_done_mark;",
                file="scheduler/magpie/detail/forked_call.hpp"),
    forked_call("call: its end wakes nobody",
                "    futex_wake_one(word);\n",
                "    static_cast<void>(word);\n"),
    forked_call("call: its end wakes who sleeps, then is done",
                "  if (state_.exchange(is_done_mark, std::memory_order_acq_rel) == is_awaited_mark) {\n"
                "    futex_wake_one(word);\n"
                "  }\n",
                "  futex_wake_one(word);\n"
                "  state_.exchange(is_done_mark, std::memory_order_acq_rel);\n"),
    forked_call("call: its end looks who sleeps before it is done",
                "  if (state_.exchange(is_done_mark, std::memory_order_acq_rel) == is_awaited_mark) {\n"
                "    futex_wake_one(word);\n"
                "  }\n",
                "  const bool is_awaited = state_.load(std::memory_order_relaxed) == is_awaited_mark;\n"
                "  state_.exchange(is_done_mark, std::memory_order_acq_rel);\n"
                "  if (is_awaited) futex_wake_one(word);\n"),
    forked_call("call: its end looks who sleeps after it is done",
                "  if (state_.exchange(is_done_mark, std::memory_order_acq_rel) == is_awaited_mark) {\n"
                "    futex_wake_one(word);\n"
                "  }\n",
                "  state_.exchange(is_done_mark, std::memory_order_acq_rel);\n"
                "  if (state_.load(std::memory_order_relaxed) != 0) futex_wake_one(word);\n"),
    forked_call("call: the forker sleeps without saying so",
                "  std::uint32_t expected = 0;\n"
                "  if (!state_.compare_exchange_strong(expected, is_awaited_mark, std::memory_order_acquire) &&\n"
                "      expected == is_done_mark) {\n"
                "    return;\n"
                "  }\n"
                "  futex_wait(state_, is_awaited_mark,",
                "  futex_wait(state_, 0,"),
    forked_call("call: the forker says that it sleeps whatever has come",
                "  std::uint32_t expected = 0;\n"
                "  if (!state_.compare_exchange_strong(expected, is_awaited_mark, std::memory_order_acquire) &&\n"
                "      expected == is_done_mark) {\n"
                "    return;\n"
                "  }\n"
                "  futex_wait(state_, is_awaited_mark,",
                "  state_.store(is_awaited_mark, std::memory_order_relaxed);\n"
                "  futex_wait(state_, is_awaited_mark,"),
    forked_call("call: the forker does not sleep",
                "  futex_wait(state_, is_awaited_mark,",
                "  futex_wait(state_, 0,"),
    forked_call("call: it is done before it is made",
                "    stolen.call();\n"
                "    stolen.end();\n",
                "    stolen.end();\n"
                "    stolen.call();\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: it is never done",
                "    stolen.call();\n"
                "    stolen.end();\n",
                "    stolen.call();\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: it runs in no context",
                "    thief.set_context(stolen.context_);\n",
                "",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: it is awaited though it was taken back",
                "  if (unforked == fork_lane::pop_if_result::popped ||\n",
                "  if (unforked != fork_lane::pop_if_result::popped ||\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: it is made though a thief has it",
                "      (unforked == fork_lane::pop_if_result::marked && here.settle_unfork())) [[likely]] {\n",
                "      unforked != fork_lane::pop_if_result::marked || here.settle_unfork()) [[likely]] {\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: a marked unfork is taken for a theft",
                "      (unforked == fork_lane::pop_if_result::marked && here.settle_unfork())) [[likely]] {\n",
                "      (unforked == fork_lane::pop_if_result::popped && here.settle_unfork())) [[likely]] {\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: a marked unfork is taken for a success",
                "      (unforked == fork_lane::pop_if_result::marked && here.settle_unfork())) [[likely]] {\n",
                "      unforked == fork_lane::pop_if_result::marked) [[likely]] {\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: what could not be offered is sought",
                "    return is_offered ? here.unfork(offered) : fork_lane::pop_if_result::popped;\n",
                "    static_cast<void>(is_offered);\n"
                "    return here.unfork(offered);\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: what was offered is not taken back",
                "    return is_offered ? here.unfork(offered) : fork_lane::pop_if_result::popped;\n",
                "    static_cast<void>(is_offered);\n"
                "    return fork_lane::pop_if_result::popped;\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: after an exception it is left behind",
                "      offered.finish(here, take_back());\n",
                "",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: after an exception it is not made",
                "      call();\n"
                "    } else {\n"
                "      here.wait_for(*this);\n",
                "      static_cast<void>(here);\n"
                "    } else {\n"
                "      here.wait_for(*this);\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: after an exception it is not awaited",
                "      call();\n"
                "    } else {\n"
                "      here.wait_for(*this);\n",
                "      call();\n"
                "    } else {\n",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: it is not awaited",
                "    here.wait_for(*this);\n"
                "    if (failure_)",
                "    static_cast<void>(here);\n"
                "    if (failure_)",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: its exception is lost",
                "    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));\n",
                "",
                file="runtime/magpie/parallel_invoke.hpp"),
    forked_call("call: a thief forks into the lane of the forker",
                "return invoke_all(worker::here(), others...);",
                "return invoke_all(here, others...);",
                file="runtime/magpie/parallel_invoke.hpp"),
]


class Bench:
    """Compiles the models against a tree of headers, and runs them."""

    def __init__(self, compiler, folder):
        self.compiler = [compiler, "-std=c++20", "-O1", "-U_FORTIFY_SOURCE",
                         "-iquote", str(ROOT / "tests")]
        self.folder = folder
        self.models = folder / "models"
        self.models.mkdir()
        for source in [*MODELS.glob("*.hpp"), *MODELS.glob("*.cpp")]:
            shutil.copy(source, self.models)
        shutil.copytree(MODELS / "standins", self.models / "standins")
        # No mutant touches the checker and its header, so they are compiled once.
        self.header = self.models / "relacy_sync.hpp"
        self.checker = self.models / "search.o"
        precompiled = "pch" if "clang" in compiler else "gch"
        self.compile("-x", "c++-header", self.header, "-o", f"{self.header}.{precompiled}")
        self.compile("-c", self.models / "search.cpp", "-o", self.checker)

    def compile(self, *arguments):
        """Throws CalledProcessError, with the compiler's words as its output."""
        subprocess.run([*self.compiler, *map(str, arguments)], check=True, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, model, tree):
        """(did the model pass?, what it found, in which search)"""
        program = tree / model
        source = self.models / f"{model}.cpp"
        standins = []
        if '"instrumented.hpp"' in source.read_text():
            folder = self.models / "standins"
            standins = ["-I", folder, "-iquote", folder]
            if model != "completion_model":
                standins += ["-I", folder / "state"]
            if model in ("contest_model", "child_tasks_model"):
                standins += ["-I", folder / "contest"]
            if model == "child_tasks_model":
                standins = ["-I", folder / "group", *standins]
        self.compile("-include", self.header, *standins, "-iquote", self.models,
                     "-I", tree / "scheduler", "-I", tree / "runtime", "-I", tree / "combinators",
                     "-iquote", tree,
                     source, self.checker, "-o", program)
        environment = {name: value for name, value in os.environ.items()
                       if name != "MAGPIE_STRESS_SCALE"}
        result = subprocess.run([program], stdout=subprocess.PIPE, text=True, errors="replace",
                                env=environment, timeout=SECONDS_PER_RUN)
        lines = result.stdout.splitlines()
        searches = [line for line in lines if " executions " in line]
        last = " ".join(searches[-1].split()) if searches else "before the first search"
        # After the search that failed, relacy says why.
        found = next(iter(lines[len(searches):]), f"exit status {result.returncode}")
        return result.returncode == 0, found, last


def copy_of_the_code(folder):
    for layer in ["scheduler", "runtime", "combinators"]:
        for kind in ["*.hpp", "*.cpp"]:
            for source in (ROOT / layer).rglob(kind):
                target = folder / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    return folder


def judge(bench, number, mutant):
    """(is all as it should be?, one line that says so)"""
    text = (ROOT / mutant.file).read_text()
    for original, spoiled in mutant.changes:
        if text.count(original) != 1:
            times = text.count(original)
            return False, f"LOST      {mutant.name}: {times} times in {mutant.file}:\n{original}"
        text = text.replace(original, spoiled)
    tree = copy_of_the_code(bench.folder / str(number))
    (tree / mutant.file).write_text(text)
    try:
        passed, found, search = bench.run(mutant.model, tree)
    except subprocess.CalledProcessError as error:
        return False, f"ILL-FORMED {mutant.name}:\n{error.stdout}"
    except subprocess.TimeoutExpired:
        return False, f"TOO LONG  {mutant.name}"
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    if passed:
        return False, f"SURVIVED  {mutant.name}"
    return True, f"killed    {mutant.name}: {found} in {search}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("name", nargs="?", default="", help="only mutants with this in the name")
    arguments.add_argument("--compiler", default="clang++-19")
    arguments.add_argument("--jobs", type=int, default=2)
    given = arguments.parse_args()
    chosen = [mutant for mutant in MUTANTS if given.name in mutant.name]
    if not chosen:
        sys.exit(f"no mutant has '{given.name}' in its name")

    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        bench = Bench(given.compiler, pathlib.Path(folder))
        sound = copy_of_the_code(bench.folder / "sound")
        for model in sorted({mutant.model for mutant in chosen}):
            try:
                passed, found, search = bench.run(model, sound)
            except subprocess.CalledProcessError as failed:
                sys.exit(f"{model} does not compile without a mutant:\n{failed.output}")
            if not passed:
                sys.exit(f"{model} fails without a mutant: {found} in {search}")
        failures = 0
        for good, line in pool.map(lambda each: judge(bench, *each), enumerate(chosen)):
            failures += not good
            print(line, flush=True)
    print(f"{len(chosen) - failures} of {len(chosen)} mutants killed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
