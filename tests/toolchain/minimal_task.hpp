// The least that a coroutine form needs: a value that counts its own lives, a lazy task with
// symmetric transfer, an awaitable that really suspends. Nothing of magpie is included, so that
// the compiler alone is on trial.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace canary {

// A process tries one form only, so one ledger serves it and nothing is ever reset.
struct ledger {
  long constructed = 0;
  long destroyed = 0;
  long displaced = 0;  // destroyed at an address where none was constructed
  long frames_made = 0;
  long frames_freed = 0;
  bool refuse_frames = false;
  const char* first_failure = nullptr;
};

inline constinit ledger book;

inline void expect(bool holds, const char* what) {
  if (!holds && book.first_failure == nullptr) book.first_failure = what;
}

// Exit codes of a process that tried one form. A crash, a sanitizer or a stray exit() produces
// neither of them.
inline constexpr int exit_right = 40;
inline constexpr int exit_wrong = 41;

inline int judge() {
  const bool right = book.first_failure == nullptr && book.constructed == book.destroyed &&
                     book.displaced == 0 && book.frames_made == book.frames_freed;
  if (right) return exit_right;
  std::fprintf(stderr,
               "%s; values %ld made, %ld destroyed, %ld displaced; frames %ld made, %ld freed\n",
               book.first_failure == nullptr ? "lifetimes" : book.first_failure, book.constructed,
               book.destroyed, book.displaced, book.frames_made, book.frames_freed);
  return exit_wrong;
}

class counted {
 public:
  static constexpr int moved_from = -1;

  explicit counted(int value = 0) : value_(value) { ++book.constructed; }
  counted(const counted& other) : value_(other.value_) { ++book.constructed; }
  counted(counted&& other) noexcept : value_(std::exchange(other.value_, moved_from)) {
    ++book.constructed;
  }
  counted& operator=(const counted& other) {
    value_ = other.value_;
    return *this;
  }
  counted& operator=(counted&& other) noexcept {
    value_ = std::exchange(other.value_, moved_from);
    return *this;
  }
  ~counted() {
    ++book.destroyed;
    if (self_ != this) ++book.displaced;
  }

  int value() const { return value_; }

 private:
  int value_;
  // Never assigned: a bitwise copy made behind the constructors' back keeps the old address.
  const counted* const self_ = this;
};

inline std::coroutine_handle<> paused;

// Suspends; drive() resumes.
struct pause {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { paused = waiter; }
  void await_resume() const noexcept {}
};

// g++ at -Og inlines one of the pair, not the other, and then warns that they do not match.
struct counted_frame {
  [[gnu::noinline]] static void* operator new(std::size_t size) {
    if (book.refuse_frames) throw std::bad_alloc();
    void* memory = ::operator new(size);
    ++book.frames_made;
    return memory;
  }
  [[gnu::noinline]] static void operator delete(void* memory, std::size_t) noexcept {
    ++book.frames_freed;
    ::operator delete(memory);
  }
};

struct promise_base : counted_frame {
  struct final_transfer {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().continuation;
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_transfer final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }

  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr failure;
};

template <class T>
struct promise_result : promise_base {
  template <class Value>
  void return_value(Value&& value) {
    result.emplace(std::forward<Value>(value));
  }
  T take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
    return std::move(*result);
  }
  std::optional<T> result;
};

template <>
struct promise_result<void> : promise_base {
  void return_void() const noexcept {}
  void take() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }
};

template <class T = void>
class [[nodiscard]] task {
 public:
  struct promise_type : promise_result<T> {
    task get_return_object() { return task(handle::from_promise(*this)); }
  };
  using handle = std::coroutine_handle<promise_type>;

  task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  task& operator=(task&&) = delete;
  ~task() {
    if (frame_) frame_.destroy();
  }

  class awaiter {
   public:
    explicit awaiter(handle frame) : frame_(frame) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) const noexcept {
      frame_.promise().continuation = waiter;
      return frame_;
    }
    T await_resume() const { return frame_.promise().take(); }

   private:
    handle frame_;
  };

  awaiter operator co_await() && { return awaiter(frame_); }

  void start() const { frame_.resume(); }
  bool done() const { return frame_.done(); }
  T take() const { return frame_.promise().take(); }

 private:
  explicit task(handle frame) : frame_(frame) {}
  handle frame_;
};

// Runs a task to its end on this thread, resuming every pause on the way.
template <class T>
T drive(task<T> work) {
  work.start();
  while (!work.done()) std::exchange(paused, nullptr).resume();
  return work.take();
}

}  // namespace canary
