#!/usr/bin/python3
"""plot.py [RESULTS] [FOLDER]: draws a result file as forks.png, tasks.png, combinators.png and SVG.

Bars are medians, with a line from the least to the greatest; the scale is logarithmic where the
rivals differ by more than ten times. Needs matplotlib, which Debian has for its own Python only.
"""

import pathlib
import sys

import matplotlib

matplotlib.use("Agg")  # no display is needed
import matplotlib.pyplot as pyplot  # noqa: E402

import support.results as results  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PAGES = {
    "forks": ("fib", "skynet", "nqueens", "matmul", "uts"),
    "tasks": ("spawn_join", "foreign_submit", "round_trip", "yield", "ping_pong", "sleeps",
              "timeouts", "timed_out_crowd", "bytes_per_task", "report", "mixed_load", "idle"),
    "combinators": ("gather", "wait", "as_completed", "race", "task_group", "limit_concurrency",
                    "batcher", "rate_limiter", "retry"),
}
# What a panel shows of a kernel that has more than one figure, instead of the first alone.
SHOWN = {
    "round_trip": ("p50_us", "p99_us"),
    "sleeps": ("cpu_us", "late_p50_us"),
    "timed_out_crowd": ("late_max_us", "idle_max_us"),
    "mixed_load": ("p99_us", "kept"),
}
COLOURS = {1: "#4477aa", 2: "#ee6677"}


def panels(data, kernels):
    """(title, figure, {rival: {workers: spread}}) in order."""
    groups = {}
    for entry in results.in_order(data["entries"]):
        if entry["kernel"] in kernels:
            groups.setdefault((entry["kernel"], entry["case"]), []).append(entry)
    for (name, case), entries in groups.items():
        kernel = results.kernel_of(name)
        keys = SHOWN.get(name, (kernel.figures[0].key,))
        for figure in (each for each in kernel.figures if each.key in keys):
            rivals = {}
            for entry in entries:
                if spread := results.spread(entry, figure):
                    rivals.setdefault(entry["rival"], {})[entry["workers"]] = spread
            if rivals:
                yield " ".join(part for part in (name, case) if part), figure, rivals


def draw(axes, title, figure, rivals):
    names = list(rivals)[::-1]
    medians = [spread.median for by_workers in rivals.values() for spread in by_workers.values()]
    logarithmic = min(medians) > 0 and max(medians) > 10 * min(medians)
    for offset, workers in ((0.2, 1), (-0.2, 2)):
        rows = [(row + offset, rivals[name][workers]) for row, name in enumerate(names)
                if workers in rivals[name]]
        if not rows:
            continue
        places = [place for place, _ in rows]
        middle = [spread.median for _, spread in rows]
        below = [spread.median - spread.low for _, spread in rows]
        above = [spread.high - spread.median for _, spread in rows]
        axes.barh(places, middle, height=0.38, color=COLOURS[workers], xerr=[below, above],
                  error_kw={"elinewidth": 0.8},
                  label=f"{workers} worker{'s' if workers > 1 else ''}")
        for place, spread in rows:
            axes.annotate(" " + results.shown(spread.median, figure.unit), (spread.high, place),
                          va="center", fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text().startswith("magpie") else "normal")
    if logarithmic:
        axes.set_xscale("log")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(figure.label + (f", {figure.unit}" if figure.unit else ""), fontsize=7)
    axes.tick_params(axis="x", labelsize=6)
    axes.margins(x=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def page(data, name, folder):
    drawn = list(panels(data, PAGES[name]))
    if not drawn:
        return
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    height = 0.9 + 0.3 * max(len(rivals) for _, _, rivals in drawn)
    figure, grid = pyplot.subplots(rows, columns, figsize=(4.2 * columns, height * rows + 0.6),
                                   squeeze=False, layout="constrained")
    for axes in grid.flat[len(drawn):]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, drawn):
        draw(axes, *panel)
    heading = 0.35 / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - heading))
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=2, fontsize=8)
    figure.text(0.01, 1 - heading / 2, data["machine"].get("processor", ""), va="center",
                fontsize=8)
    # The same file from the same results: no dates, no random names.
    matplotlib.rcParams["svg.hashsalt"] = "magpie"
    figure.savefig(folder / f"{name}.png", dpi=130, metadata={"Software": None})
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def main():
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results"
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else (
        source if source.is_dir() else source.parent)
    data = results.load(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        page(data, name, folder)


if __name__ == "__main__":
    main()
