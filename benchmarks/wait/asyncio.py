import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def number(i):
    return i


def spawn_numbers(count):
    return [asyncio.create_task(number(i)) for i in range(count)]


async def wait_for_all(count):
    done, _ = await asyncio.wait(spawn_numbers(count))
    return sum(each.result() for each in done)


async def wait_for_first(pending, go_on):
    total = 0
    while pending:
        go_on()
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        total += sum(each.result() for each in done)
    return total


async def as_they_come(count):
    return await wait_for_first(spawn_numbers(count), lambda: None)


async def one_by_one(count):
    may_end = asyncio.Semaphore(0)

    async def number_in_turn(i):
        await may_end.acquire()
        return i

    tasks = [asyncio.create_task(number_in_turn(i)) for i in range(count)]
    return await wait_for_first(tasks, may_end.release)


def main():
    program = bench.Program("wait")
    cases = (("all_hundred_thousand", 100_000 * FRACTION, wait_for_all),
             ("all_million", 1_000_000 * FRACTION, wait_for_all),
             ("first_as_they_come", 1000, as_they_come), ("first_one_by_one", 1000, one_by_one))
    for case, full, wait in cases:
        count = program.count(full)
        answer, elapsed = asyncio.run(bench.measure_warm(lambda: wait(count)))
        bench.check(answer, count * (count - 1) // 2)
        # The first of a thousand: one round instead of a hundred.
        fraction = FRACTION if wait is wait_for_all else 0.01
        program.report(elapsed / count, case, fraction=fraction)
    program.finish()


main()
