#include <magpie/detail/contest.hpp>

#include <magpie/detail/delivery.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/task.hpp>

namespace magpie::detail {

std::coroutine_handle<> contest::start(std::coroutine_handle<> parent,
                                       std::span<contender> contenders) noexcept {
  contenders_ = contenders;
  set_children(nullptr, static_cast<std::uint32_t>(contenders.size()));
  set_parent(continuation(parent));
  for (std::uint32_t i = 0; i < contenders.size(); ++i) {
    contenders[i].set_hook(&contender_ended, continuation_of(i));
    promise_base::of(contenders[i].frame()).set_continuation(continuation(contenders[i]));
  }
  static_cast<void>(scope_.begin(parent));  // what follows is no coroutine's end, but the join's
  worker& here = worker::here();
  set_context(here);
  return run_next_in_time(here);
}

/// For the holder of the rest. If no contender of the rest begins any more, this strand is the one
/// with the last of them.
std::coroutine_handle<> contest::run_next_in_time(worker& here) noexcept {
  if (scope_.is_aborted()) {
    while (has_next() && contenders_[next()].begins_ == contender::beginning::in_time) skip_next();
  }
  if (!has_next()) return last_child_ended();
  return run_as_next(here, child_frame(contenders_[next()].frame()));
}

std::coroutine_handle<> contest::contender_ended(end_hook& self,
                                                 const failure_word& failure) noexcept {
  auto& ended = static_cast<contender&>(self);
  const continuation then = ended.then();
  auto& among = static_cast<contest&>(*then.target_join());
  among.note_end(ended, failure.has_failure());
  if (!then.is_earlier_child()) return among.last_child_ended();
  worker& here = worker::here();
  return among.take_rest_back(here) ? among.run_next_in_time(here) : among.strand_ended();
}

void contest::run_taken(job& self, worker& here) noexcept {
  auto& taken = static_cast<contest&>(self);
  taken.begin_strand(here);
  taken.run_next_in_time(here).resume();
}

/// After a cancel request from outside, the winner cancels nobody: that request was delivered to
/// the others, and a second one would disturb their clean-up.
void contest::note_end(contender& ended, bool has_failed) noexcept {
  if (has_failed && decided_by_ == decided_by::value) {
    ended.failed_before_ = failed_.load(std::memory_order_relaxed);
    while (!failed_.compare_exchange_weak(ended.failed_before_, &ended, std::memory_order_relaxed,
                                          std::memory_order_relaxed)) {
    }
    return;
  }
  contender* nobody = nullptr;
  const bool has_won = winner_.compare_exchange_strong(nobody, &ended, std::memory_order_relaxed);
  if (has_won && !scope_.was_asked_from_outside()) scope_.abort();
}

std::size_t contest::winner() {
  scope_.end();
  deliver_or_pass(scope_.parent(), parent().awaiter());
  contender* const won = winner_.load(std::memory_order_relaxed);
  if (won == nullptr) throw exception_group(failures());
  return static_cast<std::size_t>(won - contenders_.data());
}

std::vector<std::exception_ptr> contest::failures() const {
  std::vector<std::exception_ptr> found;
  for (const contender* each = failed_.load(std::memory_order_relaxed); each != nullptr;
       each = each->failed_before_) {
    found.push_back(promise_base::of(each->frame()).take_failure());
  }
  return {found.rbegin(), found.rend()};
}

}  // namespace magpie::detail
