import asyncio
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import bench

PERIOD = 0.01


async def nothing():
    pass


def main():
    program = bench.Program("idle")
    phase = max(10 * PERIOD, 10 * program.scale)
    ticks = round(phase / PERIOD)

    with bench.loop_in_thread() as loop:

        def submit():
            return asyncio.run_coroutine_threadsafe(nothing(), loop)

        def tick():
            begin = time.monotonic()
            for i in range(ticks):
                time.sleep(max(0, begin + i * PERIOD - time.monotonic()))
                submit()

        for case, tasks, run in (("nothing", 1, lambda: time.sleep(phase)),
                                 ("ticking", ticks, tick)):
            submit()
            # What a loop does before it comes to rest.
            time.sleep(0.5)
            before, begin = bench.usage(), time.monotonic()
            run()
            after, seconds = bench.usage(), time.monotonic() - begin
            cpu = after[0] - before[0]
            program.report(cpu * 1e9 / tasks, case, cpu_us_per_s=cpu * 1e6 / seconds,
                           switches_per_s=(after[1] - before[1]) / seconds)
        # After the others, so that none is left behind.
        submit().result()
    program.finish()


main()
