#!/usr/bin/env python3
"""Runs the benchmarks that are built, in turns, and writes what they reported.

Builds nothing: `make bench` does. README.md beside this file says what is measured and how the
programs talk to this one. Exit status 1 when a program failed or gave a wrong answer.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import threading

import support.results as results
import support.table as table

HERE = pathlib.Path(__file__).resolve().parent
NOT_APPLICABLE = 77
QUICK_SCALE = 0.001
# What Google Benchmark reports besides counters.
NO_COUNTERS = {"real_time", "cpu_time", "family_index", "per_family_instance_index", "repetitions",
               "repetition_index", "threads", "iterations", "items_per_second", "bytes_per_second"}
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def discover(build, kernels):
    """(kernel, rival, command) of all programs there are."""
    # So that foreign_submit is found before a kernel that would be called foreign.
    longest_first = sorted(kernels, key=len, reverse=True)
    for path in sorted(build.glob("bench_*")):
        if not path.is_file() or not os.access(path, os.X_OK):
            continue
        name = path.name.removeprefix("bench_")
        kernel = next((each for each in longest_first if name.startswith(each + "_")), None)
        if kernel is not None:
            yield kernel, name.removeprefix(kernel + "_"), [str(path)]
    for kernel in kernels:
        for path in sorted((HERE / kernel).glob("*.py")):
            # -P: asyncio.py imports asyncio, not itself.
            yield kernel, path.stem, [sys.executable, "-P", str(path)]


class Failure(Exception):
    pass


def run_once(command, workers, scale, timeout):
    """One process: its report and what it used, or None when it has no such number of workers."""
    environment = dict(os.environ, MAGPIE_BENCH_SCALE=repr(scale))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command + ["--workers", str(workers)], env=environment,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        killer = threading.Timer(timeout, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timed_out = killer.finished.is_set()
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode == NOT_APPLICABLE:
            return None
        if process.returncode != 0:
            why = f"no end within {timeout} s" if timed_out else f"status {process.returncode}"
            raise Failure(f"{why}: {' / '.join(err.read().split(chr(10))[-6:]).strip(' /')}")
        try:
            report = json.load(out)["benchmarks"]
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(f"no report: {error}") from error
    return report, {"cpu_s": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024}


def samples_of(report, process, kernel, rival, workers):
    """(case, sample) for each entry of one program's report."""
    for entry in report:
        pattern = rf"{re.escape(kernel)}/{re.escape(rival)}/(?:(.*)/)?workers:{workers}(?:/.*)?"
        match = re.fullmatch(pattern, entry["name"])
        if not match:
            raise Failure(f"a report of {entry['name']}")
        if entry.get("error_occurred"):
            raise Failure(entry.get("error_message", "an error"))
        sample = {"real_time": entry["real_time"] * NANOSECONDS[entry.get("time_unit", "ns")]}
        sample |= {name: value for name, value in entry.items()
                   if isinstance(value, (int, float)) and name not in NO_COUNTERS}
        yield match[1] or "", sample | process


def run_kernel(kernel, programs, options, failures):
    """Round by round, each round all programs with each number of workers."""
    entries = {}
    left = [(rival, command, workers) for rival, command in programs for workers in options.workers]
    for number in range(options.rounds):
        # Each round begins with another one, so that none always follows the same neighbour.
        shift = number % max(1, len(left))
        for turn in left[shift:] + left[:shift]:
            rival, command, workers = turn
            name = f"{kernel}/{rival}/workers:{workers}"
            try:
                measured = run_once(command, workers, options.scale, options.timeout)
                found = measured and list(samples_of(*measured, kernel, rival, workers))
            except Failure as failure:
                failures.append(f"{name}: {failure}")
                print(f"!! {failures[-1]}", flush=True)
                left.remove(turn)
                for case in [key for key in entries if key[1:] == (rival, workers)]:
                    del entries[case]
                continue
            if not found:
                left.remove(turn)
                continue
            for case, sample in found:
                entry = entries.setdefault((case, rival, workers), {
                    "kernel": kernel, "rival": rival, "case": case, "workers": workers,
                    "samples": []})
                entry["samples"].append(sample)
            print(f"{number + 1}/{options.rounds} {name}  {told(kernel, found)}", flush=True)
    return list(entries.values())


def told(kernel, found):
    """The first figure of each case, for whoever watches."""
    figure = results.kernel_of(kernel).figures[0]
    unit = figure.unit if figure.unit not in ("", "ns") else ""
    return ", ".join(f"{case} {results.shown(sample[figure.key], figure.unit)} {unit}".strip()
                     for case, sample in found if figure.key in sample)


def first_line(*command):
    with contextlib.suppress(OSError, subprocess.CalledProcessError, IndexError):
        return subprocess.run(command, capture_output=True, text=True, check=True,
                              cwd=HERE).stdout.splitlines()[0].strip()
    return ""


def machine():
    """What the figures depend on."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    packages = first_line("dpkg-query", "--show", "--showformat", "${Package} ${Version}, ",
                          "libtbb-dev", "libomp-19-dev", "libboost-dev", "libconcurrentqueue-dev",
                          "librust-rayon-dev", "librust-tokio-dev")
    commit = first_line("git", "rev-parse", "--short", "HEAD")
    if commit and first_line("git", "status", "--porcelain", "--untracked-files=no"):
        commit += ", with changes"
    described = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": cpu[1] if cpu else platform.machine(),
        "processors to use": len(os.sched_getaffinity(0)),
        "memory": f"{int(memory[1]) / 2**20:.1f} GiB" if memory else "",
        "kernel": platform.release(),
        "virtual machine": first_line("systemd-detect-virt"),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "C++": first_line("clang++-19", "--version") or first_line("g++", "--version"),
        "Go": first_line("/usr/bin/go", "version"),
        "Rust": first_line("/usr/bin/rustc", "--version"),
        "Python": platform.python_version(),
        "packages": packages.rstrip(", "),
        "magpie": commit,
    }
    return {name: value for name, value in described.items() if value}


def write(folder, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "table.md").write_text(table.markdown(data))
    (folder / "machine.txt").write_text(
        "".join(f"{name}: {value}\n" for name, value in data["machine"].items()))


def parse(arguments):
    def names(text):
        return text.split(",")

    def counts(text):
        return [int(each) for each in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path,
                        default=HERE.parent / "build/bench/benchmarks",
                        help="where the programs are (default: build/bench/benchmarks)")
    parser.add_argument("--kernels", type=names, help="only these, comma-separated")
    parser.add_argument("--rivals", type=names, help="only these, comma-separated")
    parser.add_argument("--workers", type=counts, default=[1, 2], help="default: 1,2")
    parser.add_argument("--rounds", type=int, help="processes for each figure (default: 5)")
    parser.add_argument("--scale", type=float, help="part of the full size (default: 1)")
    parser.add_argument("--quick", action="store_true",
                        help=f"--rounds 1 --scale {QUICK_SCALE}, and no results without --results")
    parser.add_argument("--results", type=pathlib.Path,
                        help="folder to write to (default: results/ beside this file)")
    parser.add_argument("--merge", action="store_true",
                        help="keep the kernels in the results that are not run now")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one process")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.scale = options.scale or (QUICK_SCALE if options.quick else 1)
    if options.results is None and not options.quick:
        options.results = HERE / "results"
    return options


def main():
    options = parse(sys.argv[1:])
    kernels = list(results.KERNELS)
    wanted = options.kernels or kernels
    if unknown := set(wanted) - set(kernels):
        raise SystemExit(f"no such kernel: {', '.join(sorted(unknown))}")
    programs = [program for program in discover(options.build, kernels)
                if program[0] in wanted
                and (options.rivals is None or program[1] in options.rivals)]
    if not programs:
        raise SystemExit(f"nothing to run in {options.build}; `make bench` builds the programs")

    data = {"format": results.FORMAT, "scale": options.scale, "rounds": options.rounds,
            "machine": machine(), "failures": [], "entries": []}
    if options.merge and options.results:
        with contextlib.suppress(FileNotFoundError):
            old = results.load(options.results)
            if old["scale"] != options.scale:
                raise SystemExit(f"--merge: the results there have scale {old['scale']}")
            ran = {kernel for kernel, _, _ in programs}
            data["entries"] = [entry for entry in old["entries"] if entry["kernel"] not in ran]
    for kernel in kernels:
        here = [(rival, command) for name, rival, command in programs if name == kernel]
        if here:
            data["entries"] += run_kernel(kernel, here, options, data["failures"])
            if options.results:
                write(options.results, data)  # so that an interrupted run leaves what it has
    data["entries"] = results.in_order(data["entries"])
    if options.results:
        write(options.results, data)
        print(f"written to {options.results}")
    if data["failures"]:
        print("\nFAILED:\n  " + "\n  ".join(data["failures"]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
