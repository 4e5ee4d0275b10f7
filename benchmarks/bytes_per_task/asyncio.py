import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def measure(number, start):
    """Nanoseconds and bytes of a task; `start(wait, number)` gives what is to be awaited."""
    event = asyncio.Event()
    waiting = 0

    async def wait():
        nonlocal waiting
        waiting += 1
        await event.wait()

    before, begin = bench.resident_bytes(), time.perf_counter_ns()
    all_of_them = start(wait, number)
    while waiting != number:
        await asyncio.sleep(0)
    bytes_each = (bench.resident_bytes() - before) / number
    event.set()
    await all_of_them
    return (time.perf_counter_ns() - begin) / number, bytes_each


def as_children(wait, number):
    return asyncio.gather(*(wait() for _ in range(number)))


def with_handles(wait, number):
    tasks = [asyncio.create_task(wait()) for _ in range(number)]

    async def join():
        for task in tasks:
            await task

    return join()


def main():
    program = bench.Program("bytes_per_task")
    number = program.count(1_000_000 * FRACTION)
    for case, start in (("child", as_children), ("spawned", with_handles)):
        each, bytes_each = bench.in_child(lambda: asyncio.run(measure(number, start)))
        program.report(each, case, fraction=FRACTION, bytes=bytes_each)
    program.finish()


main()
