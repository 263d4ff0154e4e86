"""Turn what `gancourse bench` measured into README.md beside this file, a plot, and a table.

    python -m benchmarks.report

It reads results/*.json, and writes README.md and speed.png here, and the table of the README of the
project between its two marks.
"""

import functools
from pathlib import Path

import torch
from matplotlib.figure import Figure

from gancourse import bench
from gancourse.bench import parts, quality, speed
from gancourse.bench.sides import TUTORIAL
from gancourse.bench.speed import fastest
from tools import waits

HERE = Path(__file__).parent
MARKS = ("<!-- speed: written by benchmarks/report.py -->", "<!-- end of speed -->")

PEERS = """\
| trainer | after | digits that the judge reads right | times the script's 78 s |
|---|---:|---:|---:|
| a widely used ACGAN script, its own first 100 batches of 64 | 78 s | 10 % | 1 |
| our laptop ACGAN, fp32 | 39 s | 82 % | 0.50 |
| | 134 s | 95 % | 1.72 |
| | 185 s | 97 % | 2.37 |
| our laptop ACGAN, bf16 | 52 s | 91 % | 0.67 |
| | 149 s | 96 % | 1.91 |

After half of the script's time, 82 % of our digits are read right, where 10 % of the script's are,
which is chance. A ratio of times at equal quality cannot be given: the script was stopped before it
reached any that ours has.

Measured once, in November 2026 (by the 26th), with other networks on each side: CPU seconds of one
thread of a busy machine, the 5,000 digits that ship.
"""


AVERAGE = """\
Seconds of one core, the mean over the seeds that reach the mark with its standard error, and how
many do so: all 8 modes of a ring; 90 and 95 % of digits as asked for; a judge FID of 100 and of 50
on faces. Factors compare seed by seed, where both sides reach the mark. The tutorial's loop trains
with our preset; our earlier preset is that of commit ad24039 (benchmarks/earlier.json). For faces
both have R1 and no batch norm in D, as what ships; the earlier preset is the DCGAN's own, and a
side stops after 4,000 steps. The aim was 2.5 times the speed of our earlier preset: cGAN and DCGAN
reach it, the ring does not, nor does ACGAN, whose preset is nearly the earlier one (it was measured
in fp32, before our side had the precision of `gancourse train`).

Ours samples from an average of G's weights, which is steadier, and which follows G some hundred
steps later; the tutorial's has none. So ours reaches a mark later that takes a few hundred steps.
"""


def by_gan(rows):
    """Return the rows of each GAN by side."""
    found = {}
    for row in rows:
        found.setdefault(row.gan, {})[row.side] = row
    return found


def table(columns, rows):
    """Return a table in Markdown; the first column is text, the others are numbers."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def ratio(row):
    """Return a ratio with its spread as text."""
    low, middle, high = row.ratio
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


@functools.cache
def plan_of(gan, preset):
    """Return the plan of a GAN in a preset, on its data of the benchmark."""
    return speed.prepare(gan, preset)


def chosen(sides, one):
    """Return the row of the setting that ``gancourse train`` takes; None if it was not measured.

    Parameters
    ----------
    sides : dict of str to gancourse.bench.speed.Row
        Of one GAN, by side.
    one : gancourse.bench.Speeds
        Those that the rows are of.
    """
    kind, fast = one.origin.kind, "bf16" if "bf16" in one.peaks else "fp32"
    plan = plan_of(sides[TUTORIAL].gan, sides[TUTORIAL].preset)
    taken = plan.settings(torch.device(kind), fast)
    words = ["bf16"] * (taken["precision"] == "bf16") + ["channels_last"] * taken["channels_last"]
    words = words or ["fp32"]
    return sides.get(" ".join(words + ["graphs"] * (kind == "cuda")))


def with_chosen(found):
    """Return for each GAN, in order, its rows by side and the :func:`chosen` one of these.

    Parameters
    ----------
    found : list of gancourse.bench.Speeds
    """
    gans = {
        gan: (sides, chosen(sides, one)) for one in found for gan, sides in by_gan(one.rows).items()
    }
    return dict(sorted(gans.items()))


def speed_table(found):
    """Return the table of a list of speeds, one line for each GAN."""
    lines, shown = [], any(row.memory is not None for row in bench.rows_of(found))
    for gan, (sides, own) in with_chosen(found).items():
        plain, fast = sides["fp32"], fastest(sides)
        line = [gan, f"{sides[TUTORIAL].images:,.0f}", ratio(plain), fast.side, ratio(fast)]
        line.append("not measured" if own is None else f"{own.side}: {ratio(own)}")
        line.append(f"{sides[TUTORIAL].outside:.0%} / {plain.outside:.0%} / {fast.outside:.0%}")
        line.append("" if fast.of_peak is None else f"{fast.of_peak:.0%}")
        if shown:
            both = (sides[TUTORIAL].memory, fast.memory)
            line.append("" if None in both else " / ".join(f"{m / 2**20:,.0f}" for m in both))
        lines.append(line)
    columns = ["GAN", "tutorial, pictures/s", "ours in fp32, times as fast", "fastest setting"]
    columns += ["times as fast", "as `gancourse train` chooses"]
    columns += ["outside the networks: tutorial / fp32 / fastest", "of the peak"]
    return table([*columns, *["MiB: tutorial / fastest"] * shown], lines)


def lowest(found):
    """Return in a line with which GAN ``gancourse train`` is slowest in a preset, and how slow.

    Parameters
    ----------
    found : list of gancourse.bench.Speeds
    """
    rows = [own for _, own in with_chosen(found).values() if own is not None]
    row = min(rows, key=lambda row: row.ratio[1])
    slower = sum(row.ratio[1] < 1 for row in rows)
    return (
        f"In the {row.preset} preset, as `gancourse train` chooses, the lowest ratio is that of "
        f"{row.gan}: {ratio(row)}, in {row.side}; of {len(rows)} GANs, {slower} have one below 1. "
        f"{measured(found)}\n"
    )


def threads(found):
    """Return how many threads a CPU had, as a sentence; "" if no CPU was measured.

    Parameters
    ----------
    found : list of gancourse.bench.Speeds
    """
    counts = {}
    for row in bench.rows_of([one for one in found if one.origin.kind == "cpu"]):
        counts.setdefault(row.threads, {})[row.gan] = None
    if not counts:
        return ""
    least, *more = sorted(counts)
    text = f"On the CPU {least} thread{'s' * (least > 1)} computed"
    return text + "".join(f", and {n} for {' and '.join(counts[n])}" for n in more) + "."


def short_table(machines):
    """Return a table of the fastest setting on each machine, for the README of the project.

    Parameters
    ----------
    machines : dict of str to list of gancourse.bench.Speeds
        By the name of the machine.
    """
    sides = [by_gan(bench.rows_of(found)) for found in machines.values()]
    columns = ["GAN"]
    for device in machines:
        columns += [device.replace("(R)", ""), "times as fast"]
    lines = []
    for gan in sorted({gan for known in sides for gan in known}):
        line = [gan]
        for known in sides:
            fast = fastest(known[gan]) if gan in known else None
            line += ["", ""] if fast is None else [fast.side, ratio(fast)]
        lines.append(line)
    text = threads([one for found in machines.values() for one in found])
    return table(columns, lines) + (text and f"\n{text}\n")


def profile_table(rows):
    """Return the table of where the time of a step goes, and what bounds it."""
    graphs = any(parts.GRAPH in row.shares for row in rows)
    kinds = [*parts.KINDS, *parts.REGIONS, *[parts.GRAPH] * graphs, parts.REST]
    lines = []
    for gan, sides in by_gan(rows).items():
        for row in (sides[TUTORIAL], sides["fp32"], fastest(sides)):
            if row.side == "fp32" and row is fastest(sides) and lines and lines[-1][1] == "fp32":
                continue
            shares = [f"{row.shares.get(kind, 0):.0%}" for kind in kinds]
            rate = row.operations / row.ms / 1e6
            lines.append([gan, row.side, f"{row.ms:.1f}", *shares, f"{rate:,.1f}", bound(row)])
    return table(["GAN", "side", "ms", *kinds, "Gop/s", "bound by"], lines)


def bound(row):
    """Return what takes most of a step, in a few words."""
    kind, share = max(row.shares.items(), key=lambda item: item[1])
    return f"{kind}, {share:.0%}"


def quality_table(races):
    """Return the table of times to quality, a line for each mark of each task."""
    lines, others = [], (TUTORIAL, "earlier")
    for race in races:
        rows = {(row["side"], row["mark"]): row for row in quality.summary(race.tries, race.marks)}
        for i, mark in enumerate(race.marks):
            times = [seconds(rows.get((side, mark))) for side in ("preset", *others)]
            found = [quality.times_as_fast(race.tries, i, "preset", other) for other in others]
            factors = ["" if factor is None else f"{factor:.2f}" for factor in found]
            lines.append([race.task, f"{mark:g}", *times, *factors])
    columns = ["task", "mark", "ours, s", "tutorial, s", "our earlier preset, s"]
    return table([*columns, "times as fast as the tutorial", "as our earlier preset"], lines)


def seconds(row):
    """Return the mean time to a mark with its standard error, and how many seeds reached it."""
    if row is None:
        return ""
    if row["mean"] is None:
        return f"not reached ({row['seeds']} seed{'s' * (row['seeds'] > 1)})"
    error = "" if row["error"] is None else f" ± {row['error']:.1f}"
    return f"{row['mean']:.1f}{error} ({row['reached']} of {row['seeds']})"


def waits_table(found):
    """Return the table of explorers: when each is there, and how fast its slowest control answers.

    Parameters
    ----------
    found : tools.waits.Waits
    """
    lines = []
    for row in found.rows:
        slowest = max(row.moves, key=row.moves.get)
        lines.append([f"{row.lesson}: {row.widget}", f"{row.first:.2f}", slowest])
        lines[-1].append(f"{row.moves[slowest]:.0f}")
    return table(["explorer", "there after, s", "slowest control", "answers in, ms"], lines)


def plot(rows, path):
    """Draw how many times as fast each of our settings is, one line for each GAN."""
    groups = by_gan(rows)
    names = [side for side in dict.fromkeys(row.side for row in rows) if side != TUTORIAL]
    figure = Figure(figsize=(8, 1 + 0.32 * len(groups)), layout="constrained")
    ax = figure.subplots()
    for i, name in enumerate(names):
        found = [(y, sides[name].ratio) for y, sides in enumerate(groups.values()) if name in sides]
        places = [y + 0.16 * (i - (len(names) - 1) / 2) for y, _ in found]
        low, middle, high = zip(*(ratio for _, ratio in found), strict=True)
        ax.hlines(places, low, high, f"C{i}", linewidth=1, alpha=0.6)
        ax.plot(middle, places, "o", color=f"C{i}", markersize=4, label=name)
    ax.axvline(1, color="black", linewidth=1)
    ax.set_yticks(range(len(groups)), groups)
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlabel(
        "times the tutorial loop's speed; lines reach from the lowest to the highest turn"
    )
    ax.set_xlim(0)
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names))
    figure.savefig(path, dpi=160)


def origins(parts):
    """Return where and when the parts of a result were measured, as sentences.

    Parameters
    ----------
    parts : dict of gancourse.bench.machine.Origin to str
        What is from there; it is told if there are several.
    """
    machines = {}
    for origin, what in parts.items():
        when = origin.date + (f", commit {origin.commit}" if origin.commit else "")
        text = f"{what} ({when})" if len(parts) > 1 else when
        machines.setdefault(f"{origin.device}, PyTorch {origin.torch}", []).append(text)
    mark = ":" if len(parts) > 1 else ","
    return " ".join(f"{machine}{mark} {', '.join(texts)}." for machine, texts in machines.items())


def measured(found):
    """Return where and when a list of speeds was measured, and on how many threads of a CPU."""
    text = origins({one.origin: ", ".join(by_gan(one.rows)) for one in found})
    return f"{text} {threads(found)}".rstrip()


def trained(race):
    """Return where and when the seeds of a race were trained."""
    seeds = {}
    for one in race.tries:
        seeds.setdefault(one.origin, {})[one.seed] = None
    return origins(
        {
            origin: f"seed{'s' * (len(same) > 1)} {', '.join(map(str, same))}"
            for origin, same in seeds.items()
        }
    )


def peaks_of(found):
    """Return the peaks of the machines that a list of speeds was measured on, as text."""
    peaks = {
        one.origin.device: " and ".join(
            f"{v / 1e9:,.0f} Gop/s in {k}" for k, v in one.peaks.items()
        )
        for one in found
    }
    return "; ".join(f"{device}: {text}" for device, text in peaks.items())


def main():
    """Write everything."""
    text = [
        "# Benchmarks\n",
        "Our trainer against the loop as tutorials write it: a DataLoader that transforms each "
        "picture, fp32, a loss that is read in every step, Adam in its default form. Networks, "
        "batches and data are the same, and both sides take turns in one process. A ratio is the "
        "median over the turns, with the lowest and the highest. A + after a commit: files of the "
        "checkout differed from it.\n",
        "Measure again: `make bench` (minutes), `make bench FULL=--full`; time to quality: "
        "`gancourse bench --quality acgan-digits --seeds 5 --earlier benchmarks/earlier.json` (the "
        "laptop presets of commit ad24039). On a GPU: `make gpu`.\n",
    ]
    paths = sorted((HERE / "results").glob("speed-*.json"))
    files = [bench.read(path, list[bench.Speeds]) for path in paths]
    laptop = [found for found in files if found[0].rows[0].preset == "laptop"]
    machines = {}
    for found in laptop:
        rows, kind = bench.rows_of(found), found[0].origin.kind
        text += [f"## Speed: {kind}\n", f"{measured(found)}\n"]
        if not machines:
            text += ["![Times the speed of the tutorial loop, by GAN and setting](speed.png)\n"]
            plot(rows, HERE / "speed.png")  # that of the CPU, if there are several
        for one in found:
            machines.setdefault(one.origin.device, []).append(one)
        text += [speed_table(found)]
        text += [
            "In brackets are the lowest and the highest of the turns. *Outside the networks* is "
            "the share of the time that is not their arithmetic, and *of the peak* is how much of "
            "the speed of a large matrix product the fastest setting reaches.\n",
            f"The peak is a large matrix product ({peaks_of(found)}). On one thread of a CPU, "
            "seconds are those in which the process computed. A peak of memory is that of a "
            "process of its own, in another run (`gancourse bench --memory` on a CPU).\n",
            f"## Where the time goes: {kind}\n",
            "By PyTorch's profiler, which makes small operations look slower than they are.\n",
            profile_table(rows),
        ]
    others = [found for found in files if found not in laptop]
    if others:
        text += ["## Speed: other presets\n", *map(lowest, others)]
    paths = sorted((HERE / "results").glob("quality-*.json"))
    races = [bench.read(path, bench.Race) for path in paths]
    if races:
        text += ["## Time to quality\n", quality_table(races), AVERAGE]
        text += ["".join(f"- {race.task}: {trained(race)}\n" for race in races)]
    path = HERE / "results" / "waits-cpu.json"
    if path.exists():
        found = bench.read(path, waits.Waits)
        text += [
            "## How long a reader waits\n",
            f"`import gancourse` takes {max(0.0, found.imports):.2f} s of a core beyond "
            "`import torch`. Each explorer below was shown by its own cell of a lesson (`python -m "
            "tools.waits`: smoke preset, one thread). Seconds are those in which the kernel "
            "computed, from the start of the cell, the still picture included; a control was moved "
            "four times, and its number is the median. The browser's share is not in it. "
            f"{origins({found.origin: ''})}\n",
            waits_table(found),
        ]
    text += ["## Against a script of others\n", PEERS]
    (HERE / "README.md").write_text("\n".join(text), encoding="utf-8")
    if machines:
        readme = HERE.parent / "README.md"
        before, _, rest = readme.read_text(encoding="utf-8").partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        if after:
            middle = f"\n{short_table(machines)}\n"
            readme.write_text(f"{before}{MARKS[0]}{middle}{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
