#!/usr/bin/env python3
"""compare.py OLD NEW: holds two result files against each other.

For each figure the ratio of the medians, new / old, and the interval in which that ratio lies with
the given confidence: by bootstrap, which draws the two sets of samples anew with replacement. With
fewer than four samples on a side, which say too little for that, it is the interval between the
ranges' ends. A change is *real* when it is a per cent or more, the interval does not contain 1, and
each median lies outside of the other side's range: few samples taken in one go do not show how much
the machine changes from hour to hour, so the bootstrap alone would call too much real.

Exit status 1 when a figure of magpie really got worse by more than the threshold: when even the
favourable end of the interval lies beyond it.
"""

import argparse
import random
import statistics
import sys

import support.results as results

ENOUGH = 4
DRAWS = 4000
LEAST_CHANGE = 0.01


def interval(old, new, confidence, draw):
    """The ends of the interval of median(new) / median(old)."""
    if min(len(old), len(new)) < ENOUGH:
        return min(new) / max(old), max(new) / min(old)
    ratios = sorted(
        statistics.median(draw.choices(new, k=len(new))) /
        statistics.median(draw.choices(old, k=len(old))) for _ in range(DRAWS))
    outside = round((1 - confidence) / 2 * DRAWS)
    return ratios[outside], ratios[-1 - outside]


def comparisons(old, new, confidence):
    """(entry, figure, old median, new median, apart, ratio, low, high) of what both files have."""
    draw = random.Random(1)
    before = {results.key_of(entry): entry for entry in old["entries"]}
    for entry in results.in_order(new["entries"]):
        earlier = before.get(results.key_of(entry))
        if earlier is None:
            continue
        for figure in results.kernel_of(entry["kernel"]).figures:
            olds, news = results.values(earlier, figure), results.values(entry, figure)
            if not olds or not news or min(olds) <= 0 or min(news) <= 0:
                continue  # a count of nothing has no ratio
            medians = statistics.median(olds), statistics.median(news)
            apart = (not min(news) <= medians[0] <= max(news)
                     and not min(olds) <= medians[1] <= max(olds))
            yield (entry, figure, *medians, apart, medians[1] / medians[0],
                   *interval(olds, news, confidence, draw))


def drift(found):
    """(kernel, case, workers, figure) -> median ratio of the rivals there: what the machine did."""
    others = {}
    for entry, figure, _, _, _, ratio, _, _ in found:
        if not entry["rival"].startswith("magpie"):
            place = entry["kernel"], entry["case"], entry["workers"], figure.key
            others.setdefault(place, []).append(ratio)
    return {place: statistics.median(ratios) for place, ratios in others.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("old", help="a results.json, or its folder")
    parser.add_argument("new")
    parser.add_argument("--threshold", type=float, default=5, help="per cent (default: 5)")
    parser.add_argument("--confidence", type=float, default=0.95, help="default: 0.95")
    parser.add_argument("--relative", action="store_true",
                        help="divide by how the rivals' figures changed: for another machine")
    parser.add_argument("--all", action="store_true", help="show what did not change too")
    options = parser.parse_args()
    old, new = results.load(options.old), results.load(options.new)
    if old["scale"] != new["scale"]:
        raise SystemExit(f"not comparable: scale {old['scale']} and {new['scale']}")

    found = list(comparisons(old, new, options.confidence))
    if not found:
        raise SystemExit("the two files have nothing in common")
    by_place = drift(found)
    worse = 0
    for entry, figure, before, after, apart, ratio, low, high in found:
        place = entry["kernel"], entry["case"], entry["workers"], figure.key
        rivals = by_place.get(place)
        of_magpie = entry["rival"].startswith("magpie")
        if options.relative and of_magpie and rivals:
            ratio, low, high = ratio / rivals, low / rivals, high / rivals
        real = apart and not low <= 1 <= high and abs(ratio - 1) >= LEAST_CHANGE
        limit = 1 + options.threshold / 100
        failed = of_magpie and real and (
            low > limit if figure.better == "lower" else high < 1 / limit)
        worse += failed
        if not (real or options.all):
            continue
        name = "/".join(part for part in (entry["kernel"], entry["rival"], entry["case"]) if part)
        better = (ratio < 1) == (figure.better == "lower")
        verdict = "WORSE" if failed else "noise" if not real else "better" if better else "worse"
        moved = f"  rivals {rivals:.2f}" if of_magpie and rivals else ""
        print(f"{verdict:6} {ratio:5.2f} [{low:.2f} .. {high:.2f}]  "
              f"{name}/workers:{entry['workers']}  "
              f"{figure.label}: {results.shown(before, figure.unit)} -> "
              f"{results.shown(after, figure.unit)}{moved}")
    print(f"{len(found)} figures, {worse} of magpie worse by more than {options.threshold:g} %")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
