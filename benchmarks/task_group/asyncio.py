import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1
ended = 0


async def end():
    global ended
    ended += 1


async def at_once(count):
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(end())
        resident = bench.resident_bytes()
    return resident


async def in_turn(count):
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(end())
            await asyncio.sleep(0)
        resident = bench.resident_bytes()
    return resident


async def without_a_group(count):
    tasks = [asyncio.create_task(end()) for _ in range(count)]
    resident = bench.resident_bytes()
    for each in tasks:
        await each
    return resident


def measure(run, count):
    async def all_of_it():
        global ended
        await run(1)
        before = bench.resident_bytes()
        resident = await run(count) - before
        ended = 0
        start = time.perf_counter_ns()
        await run(count)
        elapsed = time.perf_counter_ns() - start
        bench.check(ended, count)
        return elapsed / count, resident / count

    return asyncio.run(all_of_it())


def main():
    program = bench.Program("task_group")
    count = program.count(1_000_000 * FRACTION)
    for run in in_turn, at_once, without_a_group:
        each, resident = bench.in_child(lambda: measure(run, count))
        program.report(each, run.__name__, bytes=resident, fraction=FRACTION)
    program.finish()


main()
