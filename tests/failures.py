#!/usr/bin/env python3
"""Prints, after a run of ctest, the end of what each failed test printed.

usage: failures.py BUILD
"""

import pathlib
import re
import sys

LINES = 15


def main():
    logs = pathlib.Path(sys.argv[1]) / "Testing" / "Temporary"
    failed = logs / "LastTestsFailed.log"
    if not failed.exists():
        return
    names = {line.split(":", 1)[1] for line in failed.read_text().splitlines()}
    runs = re.split(r"^\d+/\d+ Testing: ", (logs / "LastTest.log").read_text(errors="replace"),
                    flags=re.MULTILINE)
    for run in runs[1:]:
        name = run.splitlines()[0]
        if name in names:
            printed = run.split("Output:\n", 1)[-1].split("<end of output>", 1)[0]
            print(f"\n-- {name}", *printed.splitlines()[-LINES:], sep="\n")


main()
