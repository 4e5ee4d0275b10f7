// The ready ring under relacy: whatever its owner and thieves do, each item comes out exactly once,
// in the order of the pushes, with all that was written into it before.

#include <array>
#include <cstddef>

#include "relacy_sync.hpp"
#include "scheduler/ready_ring.hpp"
#include "search.hpp"

namespace magpie::model {
namespace {

struct item {
  plain<int> payload;
  int order = 0;  // of its push among all pushes
};

constexpr std::size_t item_count = 12;

/// Thread 0 owns the ring and runs Derived::own(); the others run Derived::rob().
template <class Derived, unsigned thieves, std::size_t capacity>
class ring_program : public program {
 public:
  static constexpr unsigned threads = 1 + thieves;

  void thread(unsigned index) final {
    auto& self = static_cast<Derived&>(*this);
    if (index == 0) {
      self.own();
    } else {
      self.rob();
    }
  }

  void after() final {
    while (pop()) {
    }
    RL_ASSERT(taken_ == pushed_);
    RL_ASSERT(ring_.looks_empty());
  }

 protected:
  static constexpr std::size_t most = 3;

  bool push() {
    item& each = items_[static_cast<std::size_t>(pushed_)];
    each.order = pushed_;
    each.payload.write(pushed_ + 1);
    // Before the push: right after the store that publishes it, a thief may have the item.
    const bool is_in = ring_.push(each);
    if (is_in) {
      pushed_ += 1;
    }
    return is_in;
  }

  void push_or_pop() {
    while (!push()) pop();
  }

  bool pop() {
    item* const each = ring_.pop();
    if (each != nullptr) take(*each);
    return each != nullptr;
  }

  bool pop_alone() {
    item* const each = ring_.pop_alone();
    if (each != nullptr) take(*each);
    return each != nullptr;
  }

  std::size_t steal(std::size_t least = 1, std::size_t limit = most) {
    std::array<item*, most + 1> stolen{};
    const std::size_t count = ring_.steal(least, stolen.data(), limit);
    RL_ASSERT(count <= limit);
    RL_ASSERT(stolen[limit] == nullptr);
    for (std::size_t i = 0; i < count; ++i) {
      RL_ASSERT(stolen[i] != nullptr);
      RL_ASSERT(stolen[i]->order == taken_);
      taken_ += 1;
    }
    for (std::size_t i = 0; i < count; ++i) use(*stolen[i]);
    return count;
  }

  [[nodiscard]] bool looks_empty() const { return ring_.looks_empty(); }
  [[nodiscard]] int taken() const { return taken_; }

 private:
  // The exchange that takes items is the last operation before this: so the order in which items
  // are counted here is that of the exchanges.
  void take(item& each) {
    RL_ASSERT(each.order == taken_);
    taken_ += 1;
    use(each);
  }

  // Whoever takes an item may write to it: it is his alone.
  static void use(item& each) {
    RL_ASSERT(each.payload.read() == each.order + 1);
    each.payload.write(0);
  }

  detail::basic_ready_ring<item, relacy_sync, capacity> ring_;
  std::array<item, item_count> items_;
  int pushed_ = 0;
  int taken_ = 0;
};

/// What the ring promises to a thread that is alone with it.
class alone : public ring_program<alone, 0, 4> {
 public:
  void own() {
    RL_ASSERT(looks_empty() && !pop() && !pop_alone() && steal() == 0);
    RL_ASSERT(push() && !looks_empty());
    RL_ASSERT(steal(2) == 0);
    RL_ASSERT(steal(1) == 1 && looks_empty());
    for (int i = 0; i < 4; ++i) RL_ASSERT(push());
    RL_ASSERT(!push());
    RL_ASSERT(steal(5) == 0);
    RL_ASSERT(steal(4, 1) == 1);
    RL_ASSERT(push() && !push());
    RL_ASSERT(pop());
    RL_ASSERT(steal(3) == 2);  // of three, across the end of the ring
    RL_ASSERT(pop_alone() && !pop_alone() && looks_empty());
    for (int i = 0; i < 4; ++i) RL_ASSERT(push());
    RL_ASSERT(steal() == 2 && steal() == 1 && steal() == 1 && steal() == 0);
    RL_ASSERT(taken() == 10);
  }
  void rob() {}
};

/// Everybody wants the one item that is there.
template <unsigned thieves>
class last_item : public ring_program<last_item<thieves>, thieves, 2> {
 public:
  void own() {
    RL_ASSERT(this->push());
    this->pop();
  }
  void rob() { this->steal(); }
};

/// As many thieves as items, and nobody else: an item is left only if a thief lost a race.
template <unsigned thieves>
class stampede : public ring_program<stampede<thieves>, thieves, 4> {
 public:
  void before() final {
    for (unsigned i = 0; i < thieves; ++i) RL_ASSERT(this->push());
  }
  void own() {}
  void rob() {
    while (this->steal(1, 1) == 0) let_time_pass();
  }
};

/// The owner pushes and pops in turn: a thief's half is no longer there when it wants to take it.
template <unsigned thieves>
class push_and_pop : public ring_program<push_and_pop<thieves>, thieves, 4> {
 public:
  void own() {
    for (int i = 0; i < 3; ++i) this->push_or_pop();
    this->pop();
    this->push_or_pop();
    this->pop();
    this->pop();
  }
  void rob() {
    this->steal();
    this->steal(2);
  }
};

/// Lap after lap: a slow thief's slots are used again before its exchange.
template <unsigned thieves>
class laps : public ring_program<laps<thieves>, thieves, 2> {
 public:
  void own() {
    for (int i = 0; i < 6; ++i) this->push_or_pop();
  }
  void rob() {
    this->steal();
    this->steal();
  }
};

/// The same, and only thieves make room.
template <unsigned thieves>
class full : public ring_program<full<thieves>, thieves, 2> {
 public:
  void own() {
    for (int i = 0; i < 5; ++i) {
      while (!this->push()) let_time_pass();
    }
  }
  void rob() {
    while (this->taken() < 4) {
      if (this->steal(1, 2) == 0) let_time_pass();
    }
  }
};

}  // namespace
}  // namespace magpie::model

int main() {
  using namespace magpie::model;
  run<alone>("alone", search::all);
  run<last_item<1>>("last_item<1>", search::all);
  for (const search kind : {search::two_preemptions, search::random}) {
    run<last_item<2>>("last_item<2>", kind);
    run<stampede<2>>("stampede<2>", kind);
    run<push_and_pop<1>>("push_and_pop<1>", kind);
    run<laps<1>>("laps<1>", kind);
    run<full<1>>("full<1>", kind);
  }
  for (const search kind : {search::few_preemptions, search::random}) {
    run<push_and_pop<2>>("push_and_pop<2>", kind);
    run<laps<2>>("laps<2>", kind);
    run<full<2>>("full<2>", kind);
  }
}
