"""The benchmark: both sides train the same GAN, take turns, and say where their time goes."""

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gancourse import bench, gans
from gancourse.bench import machine, memory, parts, quality, sides, speed
from gancourse.cli import main
from gancourse.errors import CourseError
from gancourse.training.ema import EMA

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def little_data(monkeypatch):
    small = {name: data.replace(":2000", ":64") for name, data in speed.DATA.items()}
    monkeypatch.setattr(speed, "DATA", small)


@pytest.mark.parametrize("name", gans.names())
def test_both_sides_train_every_gan(name):
    plan = speed.prepare(name, "smoke")
    for side in (sides.Tutorial(plan, "cpu"), sides.Ours(plan, "cpu")):
        before = {
            key: w.clone() for key, w in side.gan.generators().popitem()[1].named_parameters()
        }
        side.go(3)
        after = dict(side.gan.generators().popitem()[1].named_parameters())
        assert side.gan.step == 3 and any(not torch.equal(before[k], after[k]) for k in after)


def test_both_sides_begin_with_the_same_networks_and_as_many_pictures():
    plan = speed.prepare("dcgan", "smoke")
    theirs, ours = sides.Tutorial(plan, "cpu"), sides.Ours(plan, "cpu")
    pairs = zip(theirs.gan.netD.parameters(), ours.gan.netD.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert len(next(iter(theirs.batches))["real"]) == plan.cfg.batch_size


def test_the_tutorial_transforms_each_picture_to_what_our_batches_hold():
    plan = speed.prepare("vanilla", "smoke")
    rows = sides.PictureByPicture(plan.data, 8, 16)
    ours = plan.data.batch(0, 8, sides.Ours(plan, "cpu").run)["real"]
    assert len(rows) == 16 and isinstance(rows.columns["real"][0], Image.Image)
    assert torch.allclose(rows[3]["real"], ours[3], atol=1e-6)


def test_the_tutorial_has_plain_adam_no_average_and_gradients_that_nobody_uses():
    plan = speed.prepare("stargan", "smoke")
    side = sides.Tutorial(plan, "cpu")
    side.go(1)
    assert not any(isinstance(part, EMA) for part in side.gan.parts().values())
    assert (
        side.gan.opt_g.defaults["fused"] is None and not side.gan.opt_g._optimizer_step_post_hooks
    )
    assert side.gan.opt_g.param_groups[0]["lr"] == plan.cfg.lr_g  # before its schedule
    assert all(w.requires_grad for w in side.gan.netD.requires_grad_(False).parameters())


def test_the_sides_take_turns_and_each_round_is_a_ratio(monkeypatch):
    plan = speed.prepare("vanilla", "smoke")
    seconds = itertools.cycle([4.0, 2.0])
    monkeypatch.setattr(speed, "warm_up", lambda *arguments: 1)
    monkeypatch.setattr(machine.Clock, "time", lambda *arguments: next(seconds))
    tutorial, ours = speed.measure(plan, CPU, sides={"fp32": {}}, rounds=3, peaks={"fp32": 1e9})
    assert (tutorial.ratio, ours.ratio) == ((1, 1, 1), (2, 2, 2))
    assert ours.images == pytest.approx(plan.cfg.batch_size / 2)
    assert ours.of_peak == pytest.approx(ours.operations / 2 / 1e9, abs=1e-4)


def test_a_side_that_does_not_run_here_is_left_out(capsys):
    plan = speed.prepare("vanilla", "smoke")
    rows = speed.measure(plan, CPU, sides={"no": {"precision": "fp16"}}, rounds=1, seconds=0.01)
    assert [row.side for row in rows] == ["tutorial"]
    assert "vanilla no: left out" in capsys.readouterr().out


@pytest.mark.parametrize("loop", [sides.Tutorial, sides.Ours])
def test_shares_sum_to_one_and_name_what_the_loop_does(loop):
    found = parts.shares(loop(speed.prepare("dcgan", "smoke"), "cpu"), seconds=0.05)
    assert sum(found.values()) == pytest.approx(1)
    assert {"convolution", "optimizer", "batch", "pointwise", parts.REST} <= found.keys()


def test_a_file_grows_by_the_gans_that_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "measure", fake_rows)
    (tmp_path / "speed-cpu.json").write_text("the speeds of the laptop preset")
    for name in ("vanilla", "dcgan", "vanilla"):
        arguments = ["bench", name, "--preset", "smoke", "--device", "cpu", "--out", str(tmp_path)]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0 and f"{name} " in result.output, result.output
    (found,) = bench.read(tmp_path / "speed-cpu-smoke.json", list[bench.Speeds])
    assert [row.gan for row in found.rows] == ["dcgan", "vanilla"]
    assert found.origin.kind == "cpu" and found.peaks["fp32"] > 0


def test_rows_that_are_kept_keep_their_origin(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "measure", fake_rows)
    path = tmp_path / "speed-cpu-smoke.json"
    list(bench.speed_of(("vanilla", "dcgan"), device="cpu", preset="smoke", out=tmp_path))
    (first,) = bench.read(path, list[bench.Speeds])
    old = replace(first.origin, date="2026-01-01", commit="before")
    bench.write(path, [replace(first, origin=old)])
    list(bench.speed_of(("vanilla",), device="cpu", preset="smoke", out=tmp_path))
    found = bench.read(path, list[bench.Speeds])
    assert [(one.origin.commit, [row.gan for row in one.rows]) for one in found] == [
        ("before", ["dcgan"]),
        (first.origin.commit, ["vanilla"]),
    ]


def test_all_gans_replace_their_own_rows_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "measure", fake_rows)
    here = machine.origin(CPU)
    before = [
        bench.Speeds(origin=replace(here, commit="before"), peaks={}, rows=fake_rows(plan, CPU))
        for plan in map(Named, ("dcgan", "vanilla", "wgan"))
    ]
    bench.write(tmp_path / "speed-cpu-smoke.json", before)
    monkeypatch.setattr(gans, "names", lambda: ["vanilla", "dcgan"])
    next(bench.speed_of(device="cpu", preset="smoke", out=tmp_path))  # stopped after the first
    found = bench.read(tmp_path / "speed-cpu-smoke.json", list[bench.Speeds])
    assert [(one.origin.commit, [row.gan for row in one.rows]) for one in found] == [
        ("before", ["dcgan", "wgan"]),
        (here.commit, ["vanilla"]),
    ]


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """A command that must be refused before it measures; the fixture returns the message."""
    monkeypatch.setattr(speed, "measure", None)
    monkeypatch.setattr(bench, "peak", None)
    monkeypatch.setattr(quality, "run_to_marks", None)
    monkeypatch.chdir(tmp_path)

    def call(words):
        result = CliRunner().invoke(main, ["bench", *words.split(), "--device", "cpu"])
        assert result.exit_code == 2, result.output
        return result.stderr

    return call


COMMANDS = {"speed": "vanilla", "quality-modes": "--quality modes"}


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("text", ["my notes", "", '{"a": 1}', "[1]"])
def test_a_file_that_is_not_of_the_benchmark_is_not_replaced(refused, kind, text):
    file = Path(f"{kind}-cpu.json")
    file.write_text(text)
    message = refused(f"{COMMANDS[kind]} --out .")
    assert file.name in message and "not replaced. Choose another folder." in message
    assert file.read_text() == text


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("out", [" --out benchmarks", ""])  # by default benchmarks/results
def test_a_file_in_place_of_the_folder_is_told(refused, kind, out):
    Path("benchmarks").write_text("mine")
    assert "cannot use benchmarks" in refused(COMMANDS[kind] + out)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_waited_for(refused, make):
    for name in ("pipe", "speed-cpu.json", "quality-modes-cpu.json"):
        make(name)
    assert "cannot read pipe: it is a" in refused("--quality modes --earlier pipe --out new")
    for command in COMMANDS.values():
        assert "not a file" in refused(f"{command} --out .")
    if memory.FORGET.exists():
        assert "not a file" in refused("--memory --out .")


@pytest.mark.parametrize("seeds", ["0", "-3", "1001"])
def test_a_race_has_some_seeds(refused, seeds):
    assert "not in the range 1<=x<=1000" in refused(f"--quality modes --seeds {seeds}")


def test_the_largest_peak_of_a_machine_is_that_of_all_its_rows():
    origin = machine.Origin(date="", commit="", device="a", kind="cpu", python="", torch="")
    other = replace(origin, device="b")
    known = [
        bench.Speeds(origin=where, peaks={"fp32": 2e9}, rows=fake_rows(plan, CPU))
        for where, plan in ((origin, Named("one")), (other, Named("two")))
    ]
    new = replace(origin, date="later")
    new = bench.Speeds(origin=new, peaks={"fp32": 1e9}, rows=fake_rows(Named("three"), CPU))
    found = bench.together(known, new)
    assert [one.peaks["fp32"] for one in found] == [2e9, 2e9, 2e9]
    new = replace(new, peaks={"fp32": 4e9})
    found = bench.together(known, new)
    assert [one.rows[0].of_peak for one in found] == [0.125, 0.25, 0.125]


class Named:
    """A plan of which the name alone is used."""

    def __init__(self, name):
        self.name = name


def fake_rows(plan, device, **options):
    return [
        speed.Row(
            **{"gan": plan.name, "data": "d", "preset": "smoke", "batch": 8, "threads": 1},
            **{"clock": "cpu", "side": "fp32", "ms": 2.0, "ratio": (1.0, 2.0, 3.0)},
            **{"shares": {"convolution": 0.75, "batch": 0.25}, "operations": 1e6},
        )
    ]


def test_what_is_outside_of_the_arithmetic_is_the_rest():
    (row,) = fake_rows(speed.prepare("vanilla", "smoke"), CPU)
    assert row.outside == pytest.approx(0.25) and "25% outside" in bench.line(row)


@pytest.mark.skipif(not memory.FORGET.exists(), reason="only Linux says what a process has used")
def test_memory_is_that_of_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torch.py").write_text("1 / 0")  # of somebody else
    assert 1e5 < memory.of_side("vanilla", "smoke", "fp32", {}) < 1e9
    assert memory.of_side("vanilla", "smoke", "fp32", {"precision": "fp16"}) is None


@pytest.mark.skipif(not memory.FORGET.exists(), reason="only Linux says what a process has used")
def test_memory_is_put_into_the_rows_of_both_sides_and_the_rest_stays(tmp_path, monkeypatch):
    here = machine.origin(CPU)
    before = [
        bench.Speeds(
            origin=replace(here, commit=gan),
            peaks={"fp32": 1e9},
            rows=[
                replace(row, side=side, ratio=(ratio,) * 3)
                for side, ratio in (("tutorial", 1.0), ("fp32", 1.2), ("bf16", 1.5))
                for row in fake_rows(Named(gan), CPU)
            ],
        )
        for gan in ("dcgan", "vanilla")
    ]
    bench.write(tmp_path / "speed-cpu.json", before)
    monkeypatch.setattr(memory, "of_side", lambda gan, preset, side, options: len(side))
    words = ["bench", "--memory", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*words, "vanilla"])
    assert result.exit_code == 0, result.output
    after = bench.read(tmp_path / "speed-cpu.json", list[bench.Speeds])
    assert [row.memory for row in bench.rows_of(after)] == [None, None, None, 8, None, 4]
    emptied = [replace(one, rows=[replace(row, memory=None) for row in one.rows]) for one in after]
    assert emptied == before
    result = CliRunner().invoke(main, [*words, "acgan"])
    assert result.exit_code == 2 and "there are: dcgan, vanilla" in result.output


@pytest.mark.parametrize("text", ["", "[]", '{"origin": 1}', '{"rows": []}'])
def test_a_file_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(CourseError, match=r"x\.json"):
        bench.read(tmp_path / "x.json", bench.Speeds)


class Pretended:
    """A side whose samples get better by 1 a step, and whose steps take a second each."""

    def __init__(self):
        self.run = self.gan = self
        self.device, self.step = CPU, 0

    def go(self, count):
        self.step += count


def test_the_clock_stops_while_samples_are_measured(monkeypatch):
    monkeypatch.setattr(machine.Clock, "time", lambda clock, go, count: go(count) or float(count))
    task = quality.Task(gan="", data="", measure=None, marks=(20, 25, 90), rising=True, every=10)
    found = quality.run_to_marks(Pretended(), task, lambda gan: gan.step, 45)
    assert found["seconds"] == [20.0, 30.0, None]
    assert [step for step, _, _ in found["curve"]] == [10, 20, 30, 40, 45]


def test_a_race_has_each_side_and_seed_and_earlier_fields(tmp_path):
    file = tmp_path / "earlier.json"
    file.write_text(json.dumps({"vanilla": {"lr_g": 0.5, "betas": [0.9, 0.99]}, "dcgan": {}}))
    words = "bench --quality modes --seeds 2 --steps 60 --device cpu --earlier".split()
    result = CliRunner().invoke(main, [*words, str(file), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    race = bench.read(tmp_path / "quality-modes-cpu.json", bench.Race)
    assert [(one.side, one.seed) for one in race.tries] == [
        (side, seed) for seed in (0, 1) for side in ("preset", "tutorial", "earlier")
    ]
    assert race.settings["sides"]["earlier"]["lr_g"] == 0.5
    assert race.settings["steps"] == race.tries[0].curve[-1][0] == 60


@pytest.fixture
def trained(monkeypatch):
    """Trainings that take no time; returns the seeds of those that were begun, side by side."""
    begun = []

    def run_to_marks(side, task, measure, most):
        begun.append((type(side).__name__, side.run.seed))
        if len(begun) == 4:
            raise KeyboardInterrupt
        return {"curve": [(most, 1.0, 2.0)], "seconds": [None]}

    monkeypatch.setattr(quality, "run_to_marks", run_to_marks)
    return begun


def test_a_race_goes_on_with_the_trainings_that_are_missing(tmp_path, trained, monkeypatch):
    words = ["bench", "--quality", "modes", "--device", "cpu", "--out", str(tmp_path), "--seeds"]
    assert CliRunner().invoke(main, [*words, "3"]).exit_code == 130  # stopped in seed 1
    file = tmp_path / "quality-modes-cpu.json"
    stopped = bench.read(file, bench.Race)
    assert [(one.side, one.seed) for one in stopped.tries] == [
        *(("preset", 0), ("tutorial", 0), ("preset", 1)),
    ]
    monkeypatch.setattr(machine, "commit", lambda: "later")
    result = CliRunner().invoke(main, [*words, "2"])
    assert trained[4:] == [("Tutorial", 1)], result.output
    found = bench.read(file, bench.Race)
    assert found.tries[:3] == stopped.tries and found.tries[3].origin.commit == "later"
    again = CliRunner().invoke(main, [*words, "2"])
    assert len(trained) == 5 and "preset     8: 0 of 2 seeds" in again.output


@pytest.mark.parametrize("change", ["settings", "machine"])
def test_a_race_with_other_settings_or_on_another_machine_begins_anew(
    tmp_path, trained, monkeypatch, change
):
    words = "bench --quality modes --device cpu --seeds 1 --out".split()
    CliRunner().invoke(main, [*words, str(tmp_path)])
    more = ["--steps", "50"] if change == "settings" else []
    if change == "machine":
        monkeypatch.setattr(machine, "cpu_name", lambda: "another")
    trained.clear()
    result = CliRunner().invoke(main, [*words, str(tmp_path), *more])
    assert len(trained) == 2 and "begun anew" in result.output and change in result.output
    assert len(bench.read(tmp_path / "quality-modes-cpu.json", bench.Race).tries) == 2


def test_an_earlier_field_that_does_not_exist_is_refused():
    cfg = gans.find("vanilla").PLANE["laptop"]
    assert quality.changed(cfg, {"lr_g": 0.5}).lr_g == 0.5
    with pytest.raises(CourseError, match="another version"):
        quality.changed(cfg, {"lr_x": 0.5})


def test_a_summary_pairs_the_sides_by_seed():
    def one(side, seed, *seconds):
        here = machine.origin(CPU)
        return quality.Try(side=side, seed=seed, origin=here, curve=[], seconds=list(seconds))

    tries = [
        *(one("preset", 0, 2.0, None), one("tutorial", 0, 4.0, None)),
        *(one("preset", 1, 4.0, 9.0), one("tutorial", 1, 16.0, None)),
    ]
    rows = {(row["side"], row["mark"]): row for row in quality.summary(tries, [90, 95])}
    assert rows["preset", 90] == {
        **{"side": "preset", "mark": 90, "reached": 2, "seeds": 2},
        **{"mean": 3.0, "error": 1.0, "faster": 3.0},
    }
    assert rows["preset", 95]["reached"] == 1 and rows["preset", 95]["faster"] is None
    assert rows["tutorial", 95]["mean"] is None
    assert quality.times_as_fast(tries, 0, "tutorial", "preset") == 0.375  # 1/2 and 1/4
