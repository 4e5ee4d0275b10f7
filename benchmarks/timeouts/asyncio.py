import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

ARMED_AT_ONCE = 1000


def never():
    bench.check("a timer that was cancelled", None)


async def arm_and_cancel(number):
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(60, never) for _ in range(ARMED_AT_ONCE)]
    for i in range(number):
        timers[i % ARMED_AT_ONCE].cancel()
        timers[i % ARMED_AT_ONCE] = loop.call_later(1 + i % 60, never)
        if i % ARMED_AT_ONCE == 0:
            # The loop clears away what was cancelled only when it comes round.
            await asyncio.sleep(0)
    for timer in timers:
        timer.cancel()


def main():
    program = bench.Program("timeouts")
    number = program.count(1_000_000)
    _, elapsed = asyncio.run(bench.measure_warm(lambda: arm_and_cancel(number)))
    program.report(elapsed / number)
    program.finish()


main()
