#include <concurrentqueue.h>

#include <thread>
#include <vector>

#include "support/foreign_submit.hpp"

// No runtime: threads that take pointers out of the queue, and ask it again at once when it is
// empty. A token for each thread on both sides.
int main(int argc, char** argv) {
  bench::program program(argc, argv, "foreign_submit/moodycamel");
  moodycamel::ConcurrentQueue<bench::countdown*> queue;
  std::vector<std::jthread> consumers;
  consumers.reserve(program.workers());
  for (std::size_t i = 0; i < program.workers(); ++i) {
    consumers.emplace_back([&queue](const std::stop_token& stop) {
      moodycamel::ConsumerToken token(queue);
      while (!stop.stop_requested()) {
        bench::countdown* taken = nullptr;
        if (queue.try_dequeue(token, taken)) {
          taken->one_ended();
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  bench::measure_foreign_submit(program, [&queue] {
    return [&queue, token = moodycamel::ProducerToken(queue)](bench::countdown& left) {
      queue.enqueue(token, &left);
    };
  });
  return program.run();
}
