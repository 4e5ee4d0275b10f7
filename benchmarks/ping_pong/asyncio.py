import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

FRACTION = 0.2


async def play(round_trips):
    """Hands a number to and fro, each time one larger, and gives the last one."""
    to_other, to_this = asyncio.Queue(1), asyncio.Queue(1)

    async def other():
        for _ in range(round_trips):
            await to_this.put(await to_other.get() + 1)

    async def this():
        number = 0
        for _ in range(round_trips):
            await to_other.put(number + 1)
            number = await to_this.get()
        return number

    number, _ = await asyncio.gather(this(), other())
    return number


def main():
    program = bench.Program("ping_pong")
    round_trips = program.count(500_000 * FRACTION)
    number, elapsed = asyncio.run(bench.measure_warm(lambda: play(round_trips)))
    bench.check(number, 2 * round_trips)
    program.report(elapsed / (2 * round_trips), fraction=FRACTION)
    program.finish()


main()
