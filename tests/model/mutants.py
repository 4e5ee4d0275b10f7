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


def fork_lane(name, *texts):
    return Mutant("fork_lane_model", "scheduler/magpie/fork_lane.hpp", name,
                  tuple(zip(texts[::2], texts[1::2], strict=True)))


def idle(name, *texts, file="scheduler/idle.hpp"):
    return Mutant("idle_model", file, name, tuple(zip(texts[::2], texts[1::2], strict=True)))


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
              "expected, is_raided, std::memory_order_acquire,",
              "expected, is_raided, std::memory_order_relaxed,"),
    fork_lane("raid opens the guard relaxed",
              "    release_guard(split);\n  }\n\n  /// Any thread: a snapshot",
              "    guard_.store(Sync::is_symmetric() ? is_fenced : split, "
              "std::memory_order_relaxed);\n  }\n\n  /// Any thread: a snapshot"),
    fork_lane("the owner takes the guard relaxed",
              "compare_exchange_weak(seen, is_busy, std::memory_order_acquire,",
              "compare_exchange_weak(seen, is_busy, std::memory_order_relaxed,"),
    fork_lane("pop opens the guard relaxed",
              "    release_guard(split);\n    return item;",
              "    guard_.store(Sync::is_symmetric() ? is_fenced : split, "
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
              "    if (guard_.load(std::memory_order_relaxed) > newest)",
              "    const std::int64_t guard = guard_.load(std::memory_order_relaxed);\n"
              "    lower_bottom(newest);\n"
              "    if (guard > newest)"),
    fork_lane("pop_if looks at the guard before it moves bottom",
              "    lower_bottom(newest);\n"
              "    return guard_.load(std::memory_order_relaxed) > newest",
              "    const std::int64_t guard = guard_.load(std::memory_order_relaxed);\n"
              "    lower_bottom(newest);\n"
              "    return guard > newest"),
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
              "    std::int64_t expected = is_wanted;\n",
              "    std::int64_t expected = is_wanted;\n    Sync::heavy_fence();\n",
              "    }\n    Sync::heavy_fence();\n",
              "    }\n"),
    fork_lane("raid has its fence after the look at bottom",
              "    Sync::heavy_fence();\n    // A pop",
              "    // A pop",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n    if",
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n"
              "    Sync::heavy_fence();\n    if"),
    fork_lane("the owner does not wait for the end of the raid",
              "if (seen == is_raided) {",
              "if (seen == 0 && is_raided == 0) {"),
    fork_lane("raid does not close the guard",
              "expected, is_raided, std::memory_order_acquire,",
              "expected, is_wanted, std::memory_order_acquire,"),
    fork_lane("raid does not care who has the guard",
              "    std::int64_t expected = is_wanted;\n",
              "    std::int64_t expected = guard_.load(std::memory_order_relaxed);\n"),
    fork_lane("raid breaks into a raid",
              "    std::int64_t expected = is_wanted;\n",
              "    std::int64_t expected = guard_.load(std::memory_order_relaxed);\n"
              "    if (expected != is_raided) expected = is_wanted;\n"),
    fork_lane("raid breaks in on the busy owner",
              "    std::int64_t expected = is_wanted;\n",
              "    std::int64_t expected = guard_.load(std::memory_order_relaxed);\n"
              "    if (expected != is_busy) expected = is_wanted;\n"),
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
              "if (guard <= is_fenced) {",
              "if (guard < is_wanted) {"),
    fork_lane("ask overwrites a raid",
              "if (guard <= is_fenced) {",
              "if (guard != is_busy) {"),
    # The guard of a lane without fences.
    fork_lane("the guard of a symmetric lane is calm",
              "Sync::is_symmetric() ? is_fenced : split",
              "split"),
    fork_lane("raid leaves the guard of a symmetric lane calm",
              "    release_guard(split);\n  }\n\n  /// Any thread: a snapshot",
              "    guard_.store(split, std::memory_order_release);\n  }\n\n"
              "  /// Any thread: a snapshot"),
    fork_lane("the guard of a new lane is calm",
              "    release_guard(0);\n",
              ""),
    fork_lane("ask leaves a symmetric lane alone",
              "if (guard <= is_fenced) {",
              "if (guard < is_fenced) {"),
    fork_lane("ask takes a busy owner for a fenced one",
              "is_busy = is_fenced + 1;",
              "is_busy = is_fenced - 1;"),
    fork_lane("a symmetric guard is below the indices",
              "? is_fenced : split",
              "? -1 : split"),
    fork_lane("ask does not compare",
              "      guard_.compare_exchange_strong(guard, is_wanted, std::memory_order_relaxed,\n"
              "                                     std::memory_order_relaxed);\n",
              "      guard_.store(is_wanted, std::memory_order_relaxed);\n"),
    fork_lane("the owner takes the guard without the exchange",
              "} else if (guard_.compare_exchange_weak(seen, is_busy, "
              "std::memory_order_acquire,\n"
              "                                              std::memory_order_relaxed)) {\n",
              "} else {\n        guard_.store(is_busy, std::memory_order_relaxed);\n"),
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
              "    seen = guard_.load(std::memory_order_relaxed);\n"
              "    std::int64_t split = split_.load(std::memory_order_relaxed);\n    if"),
    fork_lane("pop does not take the guard",
              "    std::int64_t split = take_guard(seen);\n    T* item",
              "    seen = guard_.load(std::memory_order_relaxed);\n"
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
              "    return guard_.load(std::memory_order_relaxed) > bottom ? push_result::marked\n"
              "                                                           : push_result::calm;\n",
              "    return push_result::calm;\n"),
    fork_lane("push exposes nothing",
              "    if (seen == is_wanted && split < bottom) split = expose(split, bottom);\n",
              ""),
    fork_lane("pop exposes nothing",
              "      if (seen == is_wanted && split < newest) split = expose(split, newest);\n",
              ""),
    fork_lane("pop exposes the item that it takes",
              "      if (seen == is_wanted && split < newest) split = expose(split, newest);\n",
              "      if (seen == is_wanted) split = expose(split, newest + 1);\n"),
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
              "if (guard_.load(std::memory_order_relaxed) > newest) [[unlikely]]",
              "if (guard_.load(std::memory_order_relaxed) > newest + 1) [[unlikely]]"),
    fork_lane("pop_if looks at the guard one item late",
              "return guard_.load(std::memory_order_relaxed) > newest ?",
              "return guard_.load(std::memory_order_relaxed) > newest + 1 ?"),
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
              "    return guard_.load(std::memory_order_relaxed) > newest ? pop_if_result::marked\n"
              "                                                           "
              ": pop_if_result::popped;\n",
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
         file="scheduler/magpie/idle_word.hpp"),
    idle("nobody searches when few sleep",
         "return (word + one_searching - 1) >> 32;",
         "return word >> 32;",
         file="scheduler/magpie/idle_word.hpp"),
    idle("park has no fence",
         "    Sync::heavy_fence();\n    if (has_work() && withdraw",
         "    if (has_work() && withdraw"),
    idle("park does not look again",
         "    if (has_work() && withdraw(worker)) return;\n",
         ""),
    idle("park looks before it tells that it sleeps",
         "    sleepers_.push_back(worker);\n",
         "    Sync::heavy_fence();\n"
         "    const bool work = has_work();\n"
         "    sleepers_.push_back(worker);\n",
         "    Sync::heavy_fence();\n    if (has_work() && withdraw",
         "    if (work && withdraw"),
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
         "if (has_work() && withdraw(worker)) return;",
         "if (has_work()) return;"),
    # The stop.
    idle("park sleeps after the stop",
         "    if (stopped_) {\n      mutex_.unlock();\n      return;\n    }\n",
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
        # No mutant touches the checker and its header, so they are compiled once.
        self.header = self.models / "relacy_sync.hpp"
        self.checker = self.models / "search.o"
        precompiled = "pch" if "clang" in compiler else "gch"
        self.compile("-x", "c++-header", self.header, "-o", f"{self.header}.{precompiled}")
        self.compile("-c", self.models / "search.cpp", "-o", self.checker)

    def compile(self, *arguments):
        subprocess.run([*self.compiler, *map(str, arguments)], check=True, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, model, tree):
        """(did the model pass?, what it found, in which search)"""
        program = tree / model
        self.compile("-include", self.header, "-I", tree / "scheduler", "-iquote", tree,
                     self.models / f"{model}.cpp", self.checker, "-o", program)
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


def copy_of_the_headers(folder):
    for header in [*ROOT.glob("scheduler/*.hpp"), *ROOT.glob("scheduler/magpie/*.hpp")]:
        target = folder / header.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(header, target)
    return folder


def judge(bench, number, mutant):
    """(is all as it should be?, one line that says so)"""
    text = (ROOT / mutant.file).read_text()
    for original, spoiled in mutant.changes:
        if text.count(original) != 1:
            times = text.count(original)
            return False, f"LOST      {mutant.name}: {times} times in {mutant.file}:\n{original}"
        text = text.replace(original, spoiled)
    tree = copy_of_the_headers(bench.folder / str(number))
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
        sound = copy_of_the_headers(bench.folder / "sound")
        for model in sorted({mutant.model for mutant in chosen}):
            passed, found, search = bench.run(model, sound)
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
