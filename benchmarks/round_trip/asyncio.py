import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.2


async def number(i):
    return i


def main():
    program = bench.Program("round_trip")
    trips = []
    with bench.loop_in_thread() as loop:
        for i in range(1000):
            bench.check(asyncio.run_coroutine_threadsafe(number(i), loop).result(), i)
        begin = before = time.perf_counter_ns()
        for i in range(program.count(100_000 * FRACTION, 100)):
            bench.check(asyncio.run_coroutine_threadsafe(number(i), loop).result(), i)
            after = time.perf_counter_ns()
            trips.append((after - before) / 1e3)
            before = after
    program.report((before - begin) / len(trips), fraction=FRACTION,
                   p50_us=bench.percentile(trips, 0.5), p99_us=bench.percentile(trips, 0.99))
    program.finish()


main()
