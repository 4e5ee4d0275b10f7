// A program with a loop of its own, poll(2), that runs a runtime beside a pipe. The runtime has no
// threads: the loop runs its tasks, sleeps until the next timer is due, and wakes when another
// thread has something for it.

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <magpie/magpie.hpp>
#include <string>
#include <thread>

using namespace std::chrono_literals;

namespace {

/// The wake hook of the runtime: what another thread has for it makes the eventfd readable, and
/// poll(2) return.
class wake_up {
 public:
  wake_up() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) std::abort();
  }
  ~wake_up() { ::close(descriptor_); }
  wake_up(const wake_up&) = delete;
  wake_up& operator=(const wake_up&) = delete;

  void ring() const {
    const std::uint64_t one = 1;
    if (::write(descriptor_, &one, sizeof one) < 0) std::abort();
  }
  void quiet() const {
    std::uint64_t rings = 0;
    if (::read(descriptor_, &rings, sizeof rings) < 0) std::abort();
  }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

/// The reading end of a pipe. A task awaits input, and the loop says when there is some.
class input {
 public:
  explicit input(int descriptor) : descriptor_(descriptor) {}

  /// Returns what there is; nothing at the end.
  magpie::task<std::string> read() {
    (co_await readable_.acquire()).detach();
    std::array<char, 256> bytes{};
    const ssize_t count = ::read(descriptor_, bytes.data(), bytes.size());
    if (count < 0) std::abort();
    co_return std::string(bytes.data(), static_cast<std::size_t>(count));
  }

  // For the loop.

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_awaited() const { return readable_.waiting() != 0; }
  void is_readable() { readable_.release(); }

 private:
  const int descriptor_;
  magpie::semaphore readable_{0};
};

/// Takes its time, and blocks its thread meanwhile.
std::string shout(std::string word) {
  for (char& each : word) each = static_cast<char>(std::toupper(static_cast<unsigned char>(each)));
  return word;
}

magpie::task<> shout_lines(input& from) {
  std::string text;
  for (;;) {
    const std::string more = co_await from.read();
    if (more.empty()) co_return;
    text += more;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      const auto call = [line = text.substr(0, end)] { return shout(line); };
      const std::string loud = co_await magpie::wait_for(magpie::run_blocking(call), 10s);
      std::printf("%s\n", loud.c_str());
      text.erase(0, end + 1);
    }
  }
}

/// Until the next timer is due, in the units of poll(2); -1 if there is none.
int time_to_sleep(const magpie::runtime& runtime) {
  const auto next = runtime.next_deadline();
  if (!next) return -1;
  const auto time = std::chrono::ceil<std::chrono::milliseconds>(*next - runtime.now());
  return static_cast<int>(std::clamp<std::int64_t>(time.count(), 0, 60'000));
}

}  // namespace

int main() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return EXIT_FAILURE;
  std::thread writer([out = ends[1]] {
    for (const std::string line : {"wren\n", "robin\n", "magpie\n"}) {
      if (::write(out, line.data(), line.size()) < 0) std::abort();
    }
    ::close(out);
  });

  const wake_up wakes;
  input lines(ends[0]);
  magpie::runtime runtime{{.workers = 0, .on_wake = [&wakes] { wakes.ring(); }}};
  const auto done = runtime.spawn(shout_lines(lines), {.name = "shout"});
  while (!done.done()) {
    if (runtime.poll_one()) continue;
    std::array<pollfd, 2> events{{{.fd = wakes.descriptor(), .events = POLLIN, .revents = 0},
                                  {.fd = lines.descriptor(), .events = POLLIN, .revents = 0}}};
    // Input that nobody awaits would end each sleep.
    const nfds_t count = lines.is_awaited() ? 2 : 1;
    if (::poll(events.data(), count, time_to_sleep(runtime)) < 0) return EXIT_FAILURE;
    if (events[0].revents != 0) wakes.quiet();
    if (events[1].revents != 0) lines.is_readable();
  }
  writer.join();
  ::close(ends[0]);
  return EXIT_SUCCESS;
}
