#!/usr/bin/env python3
"""The tour in asyncio, in a virtual time as magpie has it: prints what examples/tour prints."""

import asyncio


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Does not wait for the next timer, but calls it now."""

    def __init__(self):
        super().__init__()
        self._virtual_now = 0.0
        poll = self._selector.select

        def jump(timeout):
            self._virtual_now += timeout or 0
            return poll(0)

        self._selector.select = jump

    def time(self):
        return self._virtual_now


begin = 0.0


def say(what):
    print(f"{asyncio.get_running_loop().time() - begin:4.1f} s  {what}")


async def work(name, delay):
    await asyncio.sleep(delay)
    return f"{name} is done"


async def fail(name, delay):
    await asyncio.sleep(delay)
    raise RuntimeError(f"{name} has failed")


async def create_a_task():
    one = asyncio.create_task(work("one", 1))
    two = asyncio.get_running_loop().create_task(work("two", 2), name="two")
    say(await one)
    say(await two)


async def ask_for_its_status():
    task = asyncio.create_task(work("it", 1), name="first name")
    say(f"{task.get_name()}: {'done' if task.done() else 'not done'}")
    task.set_name("second name")
    await task
    say(f"{task.get_name()}: {'done' if task.done() else 'not done'}, "
        f"{'cancelled' if task.cancelled() else 'not cancelled'}, {task.result()}")


async def cancel_a_sleeping_task():
    task = asyncio.create_task(work("sleeper", 10))
    await asyncio.sleep(1)
    task.cancel("no longer needed")
    try:
        await task
    except asyncio.CancelledError as stopped:
        say(f"cancelled: {stopped.args[0]}")


async def sleep_and_clean_up():
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        say("cleaning up")
        raise


async def clean_up_in_the_cancelled_task():
    task = asyncio.create_task(sleep_and_clean_up())
    await asyncio.sleep(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("it was cancelled" if task.cancelled() else "it was not cancelled")


async def gather_three():
    for result in await asyncio.gather(work("a", 3), work("b", 1), work("c", 2)):
        say(result)


async def gather_with_a_failure():
    tasks = [asyncio.create_task(each) for each in (work("a", 2), fail("b", 1), work("c", 3))]
    try:
        await asyncio.gather(*tasks)
    except RuntimeError as error:
        say(error)
    say(await tasks[0])
    say(await tasks[2])


async def gather_outcomes():
    outcomes = await asyncio.gather(work("a", 2), fail("b", 1), return_exceptions=True)
    for outcome in outcomes:
        say(f"error: {outcome}" if isinstance(outcome, Exception) else f"value: {outcome}")


async def gather_ten():
    results = await asyncio.gather(*[work(str(i), i % 3 + 1) for i in range(10)])
    say(f"{len(results)} results, from '{results[0]}' to '{results[-1]}'")


async def wait_for_all():
    tasks = [asyncio.create_task(work(name, delay)) for name, delay in (("a", 1), ("b", 2))]
    await asyncio.wait(tasks)
    for task in tasks:
        say(task.result())


async def wait_in_three_ways():
    policies = (("first completed", asyncio.FIRST_COMPLETED),
                ("first exception", asyncio.FIRST_EXCEPTION),
                ("all completed", asyncio.ALL_COMPLETED))
    for name, policy in policies:
        tasks = [asyncio.create_task(each) for each in (work("a", 1), fail("b", 2), work("c", 3))]
        done, pending = await asyncio.wait(tasks, return_when=policy)
        say(f"{name}: {len(done)} done, {len(pending)} pending")
        await asyncio.gather(*tasks, return_exceptions=True)


async def wait_with_a_limit():
    tasks = [asyncio.create_task(work(str(i), i - 0.1)) for i in range(1, 6)]
    done, pending = await asyncio.wait(tasks, timeout=2)
    say(f"{len(done)} done, {len(pending)} pending")
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    say(f"{sum(task.cancelled() for task in tasks)} cancelled")


async def take_them_as_completed():
    tasks = [asyncio.create_task(work(f"T{i}", 4.9 - i)) for i in range(5)]
    for finished in asyncio.as_completed(tasks):
        say(await finished)


async def take_them_as_completed_in_time():
    tasks = [asyncio.create_task(work(f"T{i}", 4.9 - i)) for i in range(5)]
    try:
        for finished in asyncio.as_completed(tasks, timeout=3):
            say(await finished)
    except asyncio.TimeoutError:
        say("time is over")


async def group_three():
    async with asyncio.TaskGroup() as group:
        children = [group.create_task(work(name, 1)) for name in ("a", "b", "c")]
    for child in children:
        say(child.result())


async def fail_to_clean_up(name):
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        raise RuntimeError(f"{name} could not clean up") from None


async def group_with_a_failure():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work("a", 3))
            group.create_task(fail("b", 1))
            group.create_task(fail_to_clean_up("c"))
    except* RuntimeError as errors:
        for error in errors.exceptions:
            say(error)


async def limit_a_task():
    try:
        say(await asyncio.wait_for(work("slow", 10), 2))
    except asyncio.TimeoutError:
        say("no result in time")


async def limit_a_spawned_task():
    task = asyncio.create_task(work("slow", 10))
    try:
        await asyncio.wait_for(task, 1)
    except asyncio.TimeoutError:
        say(f"timeout; the task {'was cancelled' if task.cancelled() else 'goes on'}")


async def serve(name, delay):
    try:
        return await work(name, delay)
    except asyncio.CancelledError:
        say(f"{name} was cancelled")
        raise


async def race_two_servers():
    servers = [asyncio.create_task(serve("near", 1)), asyncio.create_task(serve("far", 2))]
    done, pending = await asyncio.wait(servers, return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    await asyncio.wait(pending)
    say(done.pop().result())


async def retry_three_times():
    for attempt in range(1, 4):
        say(f"attempt {attempt}")
        try:
            say(await asyncio.wait_for(work("slow", 10), 2))
            return
        except asyncio.TimeoutError:
            if attempt == 3:
                say("giving up")
                return
            await asyncio.sleep(1)


async def limit_how_many_run():
    semaphore = asyncio.Semaphore(10)

    async def limited(i):
        async with semaphore:
            return await work(str(i), 1)

    results = await asyncio.gather(*[limited(i) for i in range(30)])
    say(f"{len(results)} results")


async def limit_how_many_start():
    loop = asyncio.get_running_loop()
    first = loop.time()

    async def start(i):
        await asyncio.sleep(first + i / 10 - loop.time())
        return await work(str(i), 1)

    results = await asyncio.gather(*[start(i) for i in range(21)])
    say(f"{len(results)} results")


async def run_in_batches():
    results = []
    for first in range(0, 30, 10):
        if first:
            await asyncio.sleep(0.1)
        batch = [work(str(i), 1) for i in range(first, first + 10)]
        results += await asyncio.gather(*batch)
    say(f"{len(results)} results")


async def run_chain(name):
    text = name
    for step in ("fetched", "parsed", "stored"):
        await asyncio.sleep(1)
        text += f", {step}"
    return text


async def run_chains():
    say(await run_chain("alone"))
    for result in await asyncio.gather(*[run_chain(name) for name in ("a", "b", "c")]):
        say(result)


async def branch_on_the_first():
    cache = asyncio.create_task(serve("cache", 1))
    disk = asyncio.create_task(serve("disk", 2))
    done, pending = await asyncio.wait((cache, disk), return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    await asyncio.wait(pending)
    say("taking the short way" if cache in done else "taking the long way")


TOUR = (create_a_task, ask_for_its_status, cancel_a_sleeping_task, clean_up_in_the_cancelled_task,
        gather_three, gather_with_a_failure, gather_outcomes, gather_ten, wait_for_all,
        wait_in_three_ways, wait_with_a_limit, take_them_as_completed,
        take_them_as_completed_in_time, group_three, group_with_a_failure, limit_a_task,
        limit_a_spawned_task, race_two_servers, retry_three_times, limit_how_many_run,
        limit_how_many_start, run_in_batches, run_chains, branch_on_the_first)


async def main():
    global begin
    for stop in TOUR:
        print(f"== {stop.__name__.replace('_', ' ')}")
        begin = asyncio.get_running_loop().time()
        await stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
