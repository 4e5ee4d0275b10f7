import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.1


async def number(i):
    return i


async def gather(count, return_exceptions):
    children = [number(i) for i in range(count)]
    return sum(await asyncio.gather(*children, return_exceptions=return_exceptions))


async def gather_two(count, return_exceptions):
    total = 0
    for i in range(0, count, 2):
        total += sum(await asyncio.gather(number(i), number(i + 1),
                                          return_exceptions=return_exceptions))
    return total


def main():
    program = bench.Program("gather")
    count = 2 * program.count(500_000 * FRACTION)
    for case, run, return_exceptions in (("values", gather, False), ("outcomes", gather, True),
                                         ("values_of_two", gather_two, False),
                                         ("outcomes_of_two", gather_two, True)):
        answer, elapsed = asyncio.run(bench.measure_warm(lambda: run(count, return_exceptions)))
        bench.check(answer, count * (count - 1) // 2)
        program.report(elapsed / count, case, fraction=FRACTION)
    program.finish()


main()
