"""The page of the benchmark is made of the files that were measured."""

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import report
from gancourse import bench
from gancourse.bench import parts, quality, speed
from gancourse.bench.machine import Origin
from tools import waits
from tools.gpu import results

RESULTS = Path(report.__file__).parent / "results"


def row(gan, side, ms, ratio, **more):
    about = {"data": "digits", "preset": "laptop", "batch": 64, "threads": 1, "clock": "cpu"}
    about |= {"shares": {"convolution": 0.7, parts.REST: 0.3}, "operations": 2e9} | more
    return speed.Row(gan=gan, side=side, ms=ms, ratio=(0.9 * ratio, ratio, 1.1 * ratio), **about)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A project whose benchmark has been measured; returns its two pages."""
    here = tmp_path / "benchmarks"
    monkeypatch.setattr(report, "HERE", here)
    monkeypatch.setitem(speed.DATA, "dcgan", "toons:64")
    origin = Origin(
        date="2026-11-26", commit="abc", device="Card", kind="cpu", python="3", torch="2.14"
    )
    rows = [
        *(row("dcgan", "tutorial", 32.0, 1.0), row("dcgan", "fp32", 16.0, 2.0)),
        *(row("dcgan", "bf16", 8.0, 4.0, of_peak=0.25), row("vanilla", "tutorial", 4.0, 1.0)),
        *(row("dcgan", "bf16 channels_last", 9.0, 3.0), row("vanilla", "fp32", 2.0, 2.0)),
    ]
    speeds = bench.Speeds(origin=origin, peaks={"fp32": 1e11, "bf16": 4e11}, rows=rows)
    bench.write(here / "results" / "speed-cpu.json", [speeds])
    tries = [
        quality.Try(
            **{"side": side, "seed": seed, "curve": [(1, 2.0, 3.0)], "seconds": [seconds, None]},
            origin=dataclasses.replace(origin, commit=f"of{seed}"),
        )
        for seed in (0, 1)
        for side, seconds in (("preset", 2.0 + seed), ("tutorial", 8.0))
    ]
    moves = {"redraw": 12.0, "Truncation": 31.4}
    wait = waits.Wait(lesson="02_dcgan", widget="LatentExplorer", first=1.256, moves=moves)
    found = waits.Waits(origin=origin, imports=-0.01, rows=[wait])
    bench.write(here / "results" / "waits-cpu.json", found)
    race = bench.Race(task="modes", marks=[8.0, 9.0], settings={}, tries=tries)
    bench.write(here / "results" / "quality-modes-cpu.json", race)
    (tmp_path / "README.md").write_text(f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter")
    report.main()
    return (here / "README.md").read_text(), (tmp_path / "README.md").read_text()


def test_the_page_says_how_long_a_reader_waits(page):
    text, _ = page
    assert "| 02_dcgan: LatentExplorer | 1.26 | Truncation | 31 |" in text
    assert "takes 0.00 s of a core beyond `import torch`" in text  # noise can be below 0


def test_the_page_has_the_speeds_the_profile_and_the_times_to_quality(page):
    text, _ = page
    line = "| dcgan | 2,000 | 2.00 (1.80 to 2.20) | bf16 | 4.00 (3.60 to 4.40) "
    assert f"{line}| bf16 channels_last: 3.00 (2.70 to 3.30) |" in text  # as train chooses
    assert "MiB" not in text and "other presets" not in text
    assert "| vanilla | fp32 | 2.0 |" in text and "convolution, 70%" in text
    assert "| modes | 8 | 2.5 ± 0.5 (2 of 2) | 8.0 ± 0.0 (2 of 2) |  | 3.33 |  |" in text
    assert "| modes | 9 | not reached (2 seeds) | not reached (2 seeds) |  |  |  |" in text
    assert "Card, PyTorch 2.14, 2026-11-26, commit abc. On the CPU 1 thread computed." in text
    assert (
        "- modes: Card, PyTorch 2.14: seed 0 (2026-11-26, commit of0), "
        "seed 1 (2026-11-26, commit of1).\n" in text
    )
    assert Image.open(report.HERE / "speed.png").width > 1_000


def test_the_readme_gets_the_table_between_its_marks_and_keeps_the_rest(page):
    _, text = page
    assert text.startswith("before\n<!-- speed") and text.endswith("-->\nafter")
    assert "old" not in text and "| dcgan | bf16 | 4.00 (3.60 to 4.40) |" in text
    report.main()
    assert (report.HERE.parent / "README.md").read_text() == text


def test_the_table_of_the_readme_has_a_column_for_each_machine(page):
    results = report.HERE / "results"
    (cpu,) = bench.read(results / "speed-cpu.json", list[bench.Speeds])
    rows = [one for one in cpu.rows if one.gan == "dcgan"]
    origin = dataclasses.replace(cpu.origin, device="GPU(R)", kind="cuda")
    bench.write(results / "speed-cuda.json", [dataclasses.replace(cpu, origin=origin, rows=rows)])
    report.main()
    text = (report.HERE.parent / "README.md").read_text()
    assert "| GAN | Card | times as fast | GPU | times as fast |" in text
    assert "| dcgan | bf16 | 4.00 (3.60 to 4.40) | bf16 | 4.00 (3.60 to 4.40) |" in text
    assert "| vanilla | fp32 | 2.00 (1.80 to 2.20) |  |  |" in text


def changed(**changes):
    """Put the speeds on record with other values for every row; return the page."""
    path = report.HERE / "results" / "speed-cpu.json"
    (found,) = bench.read(path, list[bench.Speeds])
    rows = [
        dataclasses.replace(row, **{key: pick(row) for key, pick in changes.items()})
        for row in found.rows
    ]
    path = bench.speeds_file(path.parent, "cpu", rows[0].preset)
    bench.write(path, [dataclasses.replace(found, rows=rows)])
    report.main()
    return (report.HERE / "README.md").read_text()


def test_the_page_has_the_memory_of_the_gans_whose_memory_was_measured(page):
    text = changed(memory=lambda row: 2**21 if row.gan == "dcgan" else None)
    assert "of the peak | MiB: tutorial / fastest |" in text
    assert "| 25% | 2 / 2 |" in text and "30% |  |  |" in text


def test_the_page_says_where_a_small_preset_gains_least(page):
    text = changed(preset=lambda row: "smoke", ratio=lambda row: (0.9, 0.95 + row.ms / 100, 1.5))
    assert "In the smoke preset, as `gancourse train` chooses, the lowest ratio is that of" in text
    assert "vanilla: 0.97 (0.90 to 1.50), in fp32; of 2 GANs, 1 have one below 1. Card" in text
    assert text.count("## Speed: cpu") == 1 and "| dcgan | 2,000 | 2.00" in text


def test_the_readme_says_how_many_threads_each_gan_had(page):
    assert "\nOn the CPU 1 thread computed.\n" in page[1]
    changed(threads=lambda row: 1 + (row.gan == "dcgan"))
    text = (report.HERE.parent / "README.md").read_text()
    assert "On the CPU 1 thread computed, and 2 for dcgan." in text


def test_the_page_says_which_gan_was_measured_where_and_when(page):
    path = report.HERE / "results" / "speed-cpu.json"
    (cpu,) = bench.read(path, list[bench.Speeds])
    origin = dataclasses.replace(cpu.origin, date="2026-12-01", commit="def", device="New card")
    rows = [one for one in cpu.rows if one.gan == "vanilla"]
    new = bench.Speeds(origin=origin, peaks={"fp32": 2e11}, rows=rows)
    bench.write(path, bench.together([cpu], new))
    report.main()
    text = (report.HERE / "README.md").read_text()
    assert (
        "Card, PyTorch 2.14: dcgan (2026-11-26, commit abc). "
        "New card, PyTorch 2.14: vanilla (2026-12-01, commit def)." in text
    )
    assert "(Card: 100 Gop/s in fp32 and 400 Gop/s in bf16; New card: 200 Gop/s in fp32)" in text
    text = (report.HERE.parent / "README.md").read_text()
    assert "| GAN | Card | times as fast | New card | times as fast |" in text
    assert "| dcgan | bf16 | 4.00 (3.60 to 4.40) |  |  |" in text
    assert "| vanilla |  |  | fp32 | 2.00 (1.80 to 2.20) |" in text


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.name)
def test_what_was_measured_can_be_read(path):
    kinds = {"speed": list[bench.Speeds], "quality": bench.Race, "gpu": list[results.Results]}
    kinds["waits"] = waits.Waits
    assert bench.read(path, kinds[path.name.partition("-")[0]])
