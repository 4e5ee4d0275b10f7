"""The table of a result file, in markdown: for each kernel and case one table for each figure."""

import support.results as results

# A figure beside which CPU time and memory stand, and ratios to the serial program.
MAIN = "real_time"


def cell(spread, unit):
    if spread is None:
        return ""
    low, high = results.shown(spread.low, unit), results.shown(spread.high, unit)
    return f"**{results.shown(spread.median, unit)}** [{low} .. {high}]"


def ratio(spread, base):
    if spread is None or base is None or base.median == 0:
        return ""
    return f"{spread.median / base.median:.2f}"


def figure_table(figure, by_rival):
    """`by_rival`: rival -> {workers: entry}, in the order of the rows."""
    def spread(rival, workers):
        return results.spread(by_rival.get(rival, {}).get(workers), figure)

    workers = sorted({count for entries in by_rival.values() for count in entries})
    with_time = figure.key == MAIN
    serial = spread("serial", 1) if with_time else None
    header = [figure.label + (f", {figure.unit}" if figure.unit not in ("", "ns") else "")]
    header += [f"{count} worker{'s' if count > 1 else ''}" for count in workers]
    if with_time and len(workers) > 1:
        header += ["1 / 2 workers"]
    header += [f"to magpie, {count}" for count in workers]
    if serial:
        header += [f"to serial, {count}" for count in workers]
    if with_time:
        header += ["CPU s", "peak MB"]

    rows = []
    for rival, entries in by_rival.items():
        mine = {count: spread(rival, count) for count in workers}
        if not any(mine.values()):
            continue
        row = [rival] + [cell(mine[count], figure.unit) for count in workers]
        if with_time and len(workers) > 1:
            row += [ratio(mine[1], mine.get(2)) if 1 in mine else ""]
        row += [ratio(mine[count], spread("magpie", count)) for count in workers]
        if serial:
            row += [ratio(mine[count], serial) for count in workers]
        if with_time:
            for key in ("cpu_s", "rss_mb"):
                used = [results.spread(entries.get(count), results.Figure(key, key))
                        for count in workers]
                row += [" / ".join(results.digits(each.median) for each in used if each)]
        rows.append(row)
    if not rows:
        return ""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1)] + rows
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def fractions(entries):
    """The rivals that did less than the full number of operations."""
    parts = {entry["rival"]: sample["fraction"] for entry in entries
             for sample in entry["samples"] if sample.get("fraction", 1) < 1}
    if not parts:
        return ""
    return "Of the full number of operations: " + ", ".join(
        f"{rival} {part:.3g}" for rival, part in sorted(parts.items())) + ".\n"


def markdown(data):
    machine = data["machine"]
    text = [
        "# Results\n",
        f"Median of {data['rounds']} processes each, run in turns, [least .. greatest]. "
        "\"to magpie\": how many times magpie's figure, so above 1 magpie is the better one where "
        "less is better; \"1 / 2 workers\": how many times faster two workers are. CPU "
        "time and peak memory are those of the whole process with 1 / 2 workers, warm-up included. "
        f"Scale {data['scale']:g}.\n",
        "".join(f"- {name}: {value}\n" for name, value in machine.items()),
    ]
    groups = {}
    for entry in results.in_order(data["entries"]):
        group = groups.setdefault((entry["kernel"], entry["case"]), [])
        group.append(entry)
    last = None
    for (name, case), entries in groups.items():
        kernel = results.kernel_of(name)
        if name != last:
            text.append(f"## {kernel.title}\n")
            last = name
        if case:
            text.append(f"### {case}\n")
        by_rival = {}
        for entry in entries:
            by_rival.setdefault(entry["rival"], {})[entry["workers"]] = entry
        text += [figure_table(figure, by_rival) for figure in kernel.figures]
        text.append(fractions(entries))
    if data.get("failures"):
        text.append("## Failed\n")
        text.append("".join(f"- {failure}\n" for failure in data["failures"]))
    return "\n".join(part for part in text if part)
