import asyncio
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


def submit_all(loop, total, producers):
    """Nanoseconds from the start of the producers until the loop has called back for all."""
    left = total
    ended = threading.Event()

    def one_ended():
        # Only the loop's thread does this.
        nonlocal left
        left -= 1
        if left == 0:
            ended.set()

    def produce(share):
        ready.wait()
        begin.wait()
        for _ in range(share):
            loop.call_soon_threadsafe(one_ended)

    ready = threading.Barrier(producers + 1)
    begin = threading.Barrier(producers + 1)
    threads = []
    for producer in range(producers):
        share = total // producers + (producer < total % producers)
        threads.append(threading.Thread(target=produce, args=(share,)))
        threads[-1].start()
    ready.wait()
    # Not later: the producers might be done before this thread runs again.
    start = time.perf_counter_ns()
    begin.wait()
    ended.wait()
    elapsed = time.perf_counter_ns() - start
    for thread in threads:
        thread.join()
    return elapsed


def main():
    program = bench.Program("foreign_submit")
    total = program.count(1_000_000 * FRACTION)
    with bench.loop_in_thread() as loop:
        for producers in (1, 2, 4):
            submit_all(loop, total, producers)
            elapsed = submit_all(loop, total, producers)
            program.report(elapsed / total, f"producers:{producers}", fraction=FRACTION)
    program.finish()


main()
