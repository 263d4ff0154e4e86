"""`make gpu` keeps to its budget and leaves what is done; `make gpu-take` keeps what is better."""

import dataclasses
import json
import shutil
import subprocess
import zipfile

import pytest
import torch

from gancourse import bench, gans, runs, trained
from gancourse.bench import speed
from gancourse.bench.machine import Origin
from gancourse.errors import CourseError
from gancourse.files import schema, statefile
from gancourse.training import checkpoint, runtime
from tools import train_pretrained
from tools.gpu import curves, pack, pieces, plan, results, take

ORIGIN = Origin(date="2026-11-26", commit="", device="card", kind="cuda", python="3", torch="2")


class Clock:
    """A clock that runs only while somebody waits."""

    now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


class Pretended:
    """A process that takes some seconds, or does not end, or fails."""

    def __init__(self, clock, seconds, code=0, stubborn=False):
        self.clock, self.end, self.code = clock, clock.now + seconds, code
        self.stubborn, self.asked = stubborn, []

    def poll(self):
        if "kill" in self.asked or ("stop" in self.asked and not self.stubborn):
            return -15
        return self.code if self.clock.now >= self.end else None

    def stop(self):
        self.asked.append("stop")

    def kill(self):
        self.asked.append("kill")


def carried_out(stages, seconds, takes, alone=False):
    """Carry out stages with pretended processes; return what became of each, and the clock."""
    clock, found, started = Clock(), {}, {}

    def start(name, allowed):
        started[name] = (clock.now, allowed)
        return Pretended(clock, **takes.get(name, {"seconds": 1}))

    def done(name, status, spent):
        found[name] = (status, round(spent))

    budget = plan.Budget(seconds, clock)
    plan.carry_out(stages, budget, start, done, alone, clock.wait)
    return found, started, clock


def test_pieces_that_end_early_leave_their_time_to_the_others():
    stages = [plan.Stage(names=("a",), share=1), plan.Stage(names=("b",), share=1)]
    found, started, _ = carried_out(stages, 108, {"a": {"seconds": 10}})
    assert found == {"a": ("done", 10), "b": ("done", 1)}
    assert started["a"][1] == 50 and started["b"][1] == pytest.approx(90, abs=1)


def test_a_piece_that_takes_too_long_is_stopped_and_the_rest_goes_on():
    stages = [plan.Stage(names=("a",), share=1), plan.Stage(names=("b",), share=1)]
    found, _, clock = carried_out(stages, 108, {"a": {"seconds": 1e9}})
    assert found == {"a": ("stopped", 50), "b": ("done", 1)}
    assert clock.now < 100


def test_a_piece_that_does_not_listen_is_ended_by_force_and_the_budget_holds():
    stages = [plan.Stage(names=("a",), share=1)]
    found, _, clock = carried_out(stages, 108, {"a": {"seconds": 1e9, "stubborn": True}})
    assert found["a"][0] == "stopped" and 100 < clock.now < 100 + plan.RESERVE


def test_a_piece_that_fails_is_named_and_the_rest_goes_on():
    stages = [plan.Stage(names=("a", "b"), share=1)]
    found, _, _ = carried_out(stages, 108, {"a": {"seconds": 1, "code": 1}})
    assert [status for status, _ in found.values()] == ["failed", "done"]


def test_no_piece_is_left_at_work_when_the_command_is_ended():
    clock, process = Clock(), []

    def wait(seconds):
        raise SystemExit("stopped")

    def start(name, allowed):
        process.append(Pretended(clock, 10))
        return process[0]

    with pytest.raises(SystemExit):
        stages = [plan.Stage(names=("a",), share=1)]
        plan.carry_out(stages, plan.Budget(90, clock), start, print, True, wait)
    assert process[0].asked == ["kill"]


def test_what_there_is_no_time_for_is_not_begun():
    stages = [plan.Stage(names=("a", "b", "c"), share=1, most=40, least=30)]
    found, started, _ = carried_out(stages, 88, {"a": {"seconds": 39}, "b": {"seconds": 39}})
    assert [status for status, _ in found.values()] == ["done", "done", "not begun"]
    assert started["a"][1] == 40 and "c" not in started


@pytest.mark.parametrize(("alone", "second"), [(False, 0), (True, 5)])
def test_pieces_share_a_gpu_and_take_turns_on_a_cpu(alone, second):
    stages = [plan.Stage(names=("a", "b"), share=1, at_once=2)]
    takes = {name: {"seconds": 5} for name in "ab"}
    _, started, _ = carried_out(stages, 108, takes, alone)
    assert started["b"][0] == pytest.approx(second, abs=0.5)


def test_the_plan_has_every_recipe_the_most_valuable_first_and_every_piece_has_its_work():
    stages = plan.all_stages([*train_pretrained.RECIPES, "new"])
    names = [name for stage in stages for name in stage.names]
    assert {name.partition(":")[0] for name in names} == {*pieces.PIECES}
    recipes = [name[7:] for name in names if name.startswith("recipe:")]
    assert sorted(recipes) == sorted([*train_pretrained.RECIPES, "new"])
    assert recipes[0] == plan.FIRST[0] and recipes[-1] == "new"
    assert {*plan.FIRST} <= {*train_pretrained.RECIPES} and {*pieces.WIDER} <= {*plan.FIRST}
    assert sum(stage.share for stage in stages) == 540


def test_pieces_without_figures_come_first(tmp_path):
    partly = dataclasses.replace(figures(ORIGIN, "lsgan", "02_dcgan"), paper={})
    for found in (figures(ORIGIN, "dcgan", "01_vanilla_gan"), partly):
        results.record(tmp_path, found)
    known = plan.on_record("cuda", tmp_path)
    assert known == {"speed:dcgan", "lesson:01", "lesson:02"}
    assert plan.on_record("mps", tmp_path) == set()
    _, _, timed, recipes, read = plan.all_stages(train_pretrained.RECIPES, known)
    assert timed.names[:2] == ("speed:vanilla", "speed:lsgan") and timed.names[-1] == "speed:dcgan"
    assert read.names[0] == "lesson:03" and read.names[-2:] == ("lesson:01", "lesson:02")
    assert recipes == plan.all_stages(train_pretrained.RECIPES)[3]


def test_pieces_are_chosen_by_their_name_or_their_kind():
    stages = plan.all_stages(train_pretrained.RECIPES)
    found = plan.chosen(stages, ("lesson", "speed:cyclegan", "speed:stargan"))
    assert [stage.names for stage in found] == [
        ("speed:cyclegan", "speed:stargan"),
        tuple(f"lesson:{name}" for name in plan.LESSONS),
    ]
    with pytest.raises(CourseError, match="Did you mean 'speed:cyclegan'"):
        plan.chosen(stages, ("speed:cylegan",))


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
@pytest.mark.parametrize("only", ["", "speed:cyclegan speed:stargan"])
def test_make_passes_the_pieces_on(only):
    command = ["make", "--dry-run", "--no-print-directory", "gpu", f"ONLY={only}"]
    printed = subprocess.run(command, cwd=results.ROOT, capture_output=True, text=True).stdout
    assert f"--only {only}".strip() == printed[printed.index("--only") :].strip()


@pytest.mark.parametrize("name", sorted({*train_pretrained.RECIPES} & {*trained.names()}))
def test_a_wider_generator_can_be_built_and_its_file_may_ship(name):
    recipe = train_pretrained.RECIPES[name]
    module, changes = gans.find(recipe.model), recipe.changes | pieces.WIDER.get(name, {})
    shipped = trained.pretrained(name).cfg  # for what follows from the data
    cfg = dataclasses.replace(shipped, **changes)
    with torch.device("meta"):
        nets = module.networks(cfg)
    size = sum(p.numel() for net in module.PUBLISHED for p in nets[net].state_dict().values())
    assert 2 * size < 0.98 * results.LARGEST


@pytest.mark.parametrize("name", gans.names())
def test_a_step_on_the_same_device_agrees_with_itself(name):
    module = gans.find(name)
    cfg = module.PRESETS["smoke"]
    one, other = (pieces.one_step(module, cfg, runtime.start("cpu", seed)) for seed in (0, 1))
    assert one[0] == other[0] and one[1].keys() == module.PLAYERS.keys()
    assert all(torch.equal(one[1][player], other[1][player]) for player in one[1])


def test_dropout_that_is_drawn_on_the_cpu_drops_its_share():
    with pieces.DrawnOnTheCPU():
        torch.manual_seed(0)
        first = torch.nn.functional.dropout(torch.ones(10_000), 0.2)
        torch.manual_seed(0)
        again = torch.nn.Dropout(0.2)(torch.ones(10_000))
    assert torch.equal(first, again)
    assert first.mean().item() == pytest.approx(1, abs=0.02) and first.max() == 1.25


def test_training_stops_when_its_time_is_over():
    plan_, stop = pieces.planned("vanilla-digits", 100_000), runtime.start("cpu", 0)
    gan = plan_.build(stop)
    with pieces.stopped_after(0.5):
        history = plan_.train(gan, stop, quiet=True)
    assert 0 < gan.step < 100_000 and not history.finished


def test_a_cell_runs_as_in_a_notebook_and_its_functions_have_a_source():
    import inspect

    space = {"__name__": "__main__"}
    cell = type("Cell", (), {"source": "def f(x):\n    return x + 1\ny = f(1)"})
    pieces.execute(cell, "<cell 1>", space)
    assert space["y"] == 2 and "return x + 1" in inspect.getsource(space["f"])


# Curves in two settings


def tried(how, quality, losses=(1.0, 1.0)):
    return results.Curve(how=how, seed=0, losses={"D/adv": [None, *losses]}, quality=quality)


def test_settings_agree_if_their_means_are_no_further_apart_than_seeds():
    tries = [tried("a", 10.0), tried("a", 14.0, (2.0, 4.0)), tried("b", 15.0), tried("b", 17.0)]
    fid, loss = curves.verdicts(tries)
    assert (fid.of, fid.means, fid.spread, fid.agree) == ("quality", (12, 16), 4, True)
    assert (loss.of, loss.means, loss.agree) == ("D/adv", (2, 1), True)
    fid, _ = curves.verdicts([*tries[:2], tried("b", 16.1), tried("b", 17.0)])
    assert not fid.agree and "DIFFER" in curves.line(fid)
    assert curves.verdicts(tries[:3]) == [] == curves.verdicts(tries[:2])


def test_plain_fp32_is_compared_with_what_the_command_line_takes(monkeypatch):
    monkeypatch.setattr(runtime, "fast_precision", lambda device: "bf16")
    plan_ = runs.prepare("dcgan", "toons:64", "laptop")
    plain, taken = curves.settings(plan_, torch.device("cuda"))
    assert plain == {"graphs": False}
    assert taken == {"precision": "bf16", "channels_last": True}
    assert curves.settings(plan_, torch.device("cpu")) == ({}, {"precision": "bf16"})


def test_a_rehearsal_records_curves_and_a_verdict(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(curves, "SEEDS", (0, 1))
    written = []
    pieces.curves_of_one("cpu", 60, tmp_path, "vanilla", lambda curves: written.append(curves))
    assert [len(one["tries"]) for (one,) in written] == [1, 2, 3, 4]
    (one,) = schema.read(list[results.Curves], json.dumps(written[-1]), "it", CourseError)
    assert len(one.steps) == curves.POINTS
    assert [(t.how.split(", ")[1], t.seed) for t in one.tries] == [
        (precision, seed) for seed in (0, 1) for precision in ("fp32", "bf16")
    ]
    assert len({t.quality for t in one.tries}) == 4
    losses = [t.losses["D/adv"] for t in one.tries]
    assert losses[0] != losses[1] and losses[0] != losses[2]
    assert "quality: " in capsys.readouterr().out and one.verdicts[0].of == "quality"


# Which quality is better


@pytest.mark.parametrize(
    ("new", "old", "better", "why"),
    [
        ({"judge_fid": 20.0}, {"judge_fid": 30.0}, True, "20 instead of 30"),
        ({"judge_fid": 29.9}, {"judge_fid": 30.0}, False, "not better"),
        ({"judge_fid": 40.0}, {"judge_fid": 30.0}, False, "worse"),
        ({"judge_fid": float("nan")}, {"judge_fid": 30.0}, False, "no measure"),
        ({"judge_fid": True}, {"judge_fid": 30.0}, False, "no measure"),
        ({}, {"judge_fid": 30.0}, False, "no measure"),
        ({"judge_fid": 99.0}, {}, True, "none ships"),
        ({"judge_fid": 1.0, "pictures": 10}, {"judge_fid": 3.0, "pictures": 9}, False, "otherwise"),
        (
            {"judge_fid": 1.0, "class_accuracy": 0.9},
            {"judge_fid": 3, "class_accuracy": 0.99},
            False,
            "class_acc",
        ),
        (
            {"judge_fid": 1.0, "class_accuracy": 0.99},
            {"judge_fid": 3, "class_accuracy": 0.9},
            True,
            "judge_fid",
        ),
        ({"l1": 0.1, "l1_back": 0.3}, {"l1": 0.2, "l1_back": 0.2}, False, "l1_back"),
    ],
)
def test_better_is_what_decides_with_nothing_else_worse(new, old, better, why):
    found = results.compare(new, old)
    assert found[0] is better and why in found[1]


# What is taken


@pytest.fixture
def shipped(tmp_path):
    """A folder with one generator that ships, of a known quality."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    shutil.copy(train_pretrained.SHIPPED / "vanilla-digits.safetensors", folder)
    return folder


def brought(tmp_path, monkeypatch, said, measured, **about):
    """A folder that came back, with one generator of whose quality its card says something."""
    folder = tmp_path / "back"
    results.write(folder, results.Results(origin=ORIGIN, budget=540.0), "log")
    g = trained.pretrained("vanilla-digits")
    path = tmp_path / "vanilla-digits.safetensors"
    card = {"model": "vanilla", "data": "digits", "quality": said, "junk": "x" * 99} | about
    checkpoint.save_generator(path, g.gan, half=True, **card)
    assert results.pack(folder, path)
    monkeypatch.setattr(train_pretrained, "measure", lambda g, data: measured)
    return folder


def card_of(folder):
    return statefile.load(folder / "vanilla-digits.safetensors")[1]["card"]


def test_what_is_better_is_kept_with_what_was_measured_here(tmp_path, monkeypatch, shipped):
    folder = brought(tmp_path, monkeypatch, {"judge_fid": 1.0}, {"judge_fid": 1.02})
    assert take.take(folder, shipped, tmp_path / "figures") == ["vanilla-digits"]
    card = card_of(shipped)
    assert card["quality"] == {"judge_fid": 1.02} and "junk" not in card
    assert card["fields"] == {}  # a vanilla GAN is given nothing but noise
    assert trained.load(shipped / "vanilla-digits.safetensors").sample(2).shape == (2, 1, 28, 28)
    _, (rest,) = results.recorded(tmp_path / "figures", "cuda")
    assert rest.budget == 540


@pytest.mark.parametrize(
    ("said", "measured", "about", "why"),
    [
        ({"judge_fid": 50.0}, {"judge_fid": 50.0}, {}, "not better|worse"),
        ({"judge_fid": 1.0}, {"judge_fid": 50.0}, {}, "here it is 50"),
        ({"judge_fid": 1.0}, {"judge_fid": 1.0}, {"data": "fashion"}, "not vanilla on digits"),
        ({"judge_fid": 1.0}, {"judge_fid": 1.0}, {"model": "dcgan"}, "another version|dcgan"),
    ],
)
def test_what_is_worse_or_says_what_is_not_so_is_refused(
    tmp_path, monkeypatch, shipped, capsys, said, measured, about, why
):
    import re

    before = (shipped / "vanilla-digits.safetensors").read_bytes()
    folder = brought(tmp_path, monkeypatch, said, measured, **about)
    assert take.take(folder, shipped, tmp_path / "figures") == []
    assert (shipped / "vanilla-digits.safetensors").read_bytes() == before
    assert re.search(f"refused: vanilla-digits: .*({why})", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../evil.safetensors", b"x"),
        ("vanilla-digits.safetensors", b"no weights"),
        ("vanilla-digits.safetensors", b"x" * (results.LARGEST + 1)),
        ("other.safetensors", b"x"),
    ],
)
def test_malformed_weights_are_refused(tmp_path, shipped, capsys, name, content):
    folder = tmp_path / "back"
    results.write(folder, results.Results(origin=ORIGIN, budget=540.0))
    with zipfile.ZipFile(folder / "weights-1.zip", "w") as archive:
        archive.writestr(name, content)
    assert take.take(folder, shipped, tmp_path / "figures") == []
    assert "refused" in capsys.readouterr().out
    assert not (tmp_path.parent / "evil.safetensors").exists()


EVIL = json.dumps({"origin": dataclasses.asdict(ORIGIN) | {"kind": "/../../x"}, "budget": 1.0})


@pytest.mark.parametrize("text", ["", "{}", '{"origin": {}, "budget": "x"}', "[1]", EVIL])
def test_malformed_results_are_refused(tmp_path, shipped, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(CourseError, match=r"results\.json"):
        take.take(tmp_path, shipped, tmp_path / "figures")
    with pytest.raises(CourseError, match="cannot read"):
        take.take(tmp_path / "nowhere", shipped)


def test_a_zip_file_that_is_none_is_refused(tmp_path, shipped):
    results.write(tmp_path, results.Results(origin=ORIGIN, budget=540.0))
    (tmp_path / "weights-2.zip").write_bytes(b"PK no zip")
    with pytest.raises(CourseError, match=r"weights-2\.zip"):
        take.take(tmp_path, shipped, tmp_path / "figures")


def speeds_of(gan, origin):
    row = speed.Row(
        **{"gan": gan, "data": "d", "preset": "laptop", "batch": 8, "threads": 1, "clock": "wall"},
        **{"side": "fp32", "ms": 2.0, "ratio": (1.0, 2.0, 3.0), "shares": {}, "operations": 1e6},
    )
    return bench.Speeds(origin=origin, peaks={"fp32": 1e9}, rows=[row])


def figures(origin, gan, lesson, **more):
    """Results of one GAN and one lesson."""
    claims = {"claims": [("it holds", True)]}
    return results.Results(
        origin=origin,
        budget=90.0,
        pieces=[
            results.Piece(name=f"speed:{gan}", status="done", seconds=1.0),
            results.Piece(name="tests", status=more.pop("status", "done"), seconds=1.0),
        ],
        agreement=[results.Agreement(gan=gan, how="fp32", losses=0.0, gradients={}, agrees=True)],
        speed=speeds_of(gan, origin),
        paper={gan: {"fp32": 2.0}},
        lessons=[results.Lesson(name=lesson, cells=(1, 2), seconds=1.0, **claims)],
        **more,
    )


def test_figures_of_a_part_leave_the_others_with_their_origin(tmp_path, shipped):
    out, tests = tmp_path / "figures", results.Tests(passed=3, failed=[], skipped=0)
    days = [dataclasses.replace(ORIGIN, date=f"2026-12-0{day}", commit=str(day)) for day in (1, 2)]
    runs = (
        figures(days[0], "dcgan", "02_dcgan", tests=tests),
        figures(days[1], "cyclegan", "07_cyclegan", status="not begun"),
    )
    for i, found in enumerate(runs):
        results.write(tmp_path / str(i), found)
        take.take(tmp_path / str(i), shipped, out)
    speeds, rest = results.recorded(out, "cuda")
    assert [(one.origin, one.rows[0].gan) for one in speeds] == [
        (days[0], "dcgan"),
        (days[1], "cyclegan"),
    ]
    assert rest[0] == dataclasses.replace(runs[0], speed=None)
    assert [piece.name for piece in rest[1].pieces] == ["speed:cyclegan"]
    assert rest[1].origin == days[1] and rest[1].lessons == runs[1].lessons


def test_newer_figures_replace_those_of_the_same_name(tmp_path, shipped):
    out, tests = tmp_path / "figures", results.Tests(passed=3, failed=[], skipped=0)
    new = dataclasses.replace(ORIGIN, date="2026-12-02")
    old, same = figures(ORIGIN, "dcgan", "02_dcgan", tests=tests), {"tests": tests}
    other = results.Agreement(gan="dcgan", how="bf16", losses=0.0, gradients={}, agrees=False)
    old = dataclasses.replace(old, agreement=[*old.agreement, other])
    for i, found in enumerate((old, figures(new, "dcgan", "02_dcgan", **same))):
        results.write(tmp_path / str(i), found)
        take.take(tmp_path / str(i), shipped, out)
    speeds, rest = results.recorded(out, "cuda")
    assert [one.origin for one in speeds] == [new]
    empty = {"pieces": [], "tests": None, "paper": {}, "lessons": [], "speed": None}
    assert rest[0] == dataclasses.replace(old, agreement=[other], **empty)
    results.record(out, dataclasses.replace(figures(new, "dcgan", "02_dcgan"), agreement=[other]))
    assert ORIGIN not in [one.origin for one in results.recorded(out, "cuda")[1]]


def test_a_cpus_figures_are_left_out(tmp_path, shipped, capsys):
    origin = dataclasses.replace(ORIGIN, kind="cpu")
    results.write(tmp_path / "back", results.Results(origin=origin, budget=120.0))
    assert take.take(tmp_path / "back", shipped, tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists() and "left out" in capsys.readouterr().out


def test_weights_are_packed_into_files_of_at_most_fifteen_mebibytes(tmp_path):
    (tmp_path / "out").mkdir()
    packed = 0
    for i in range(25):
        path = tmp_path / f"{i}.safetensors"
        path.write_bytes(bytes(3_900_000))
        packed += results.pack(tmp_path / "out", path)
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == results.ZIPS and packed == 20
    assert all(file.stat().st_size <= results.FILE for file in files)
    assert results.ZIPS + 2 <= 8  # with the results and the log


# The whole


def test_pieces_write_what_they_know_and_the_folder_holds_it(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    gathered = pieces.Gathered("cpu", 120.0, work, out)
    gathered.add("lesson:01", "not begun", 0.0)
    (work / "paper.json").write_text(json.dumps({"paper": {"dcgan": {"fp32": 2.0, "steps": 9}}}))
    (work / "paper.log").write_text("slow\n")
    gathered.add("paper", "stopped", 3.14)
    found = results.read(out)
    assert [(p.name, p.status) for p in found.pieces] == [
        ("lesson:01", "not begun"),
        ("paper", "stopped"),
    ]
    assert found.paper == {"dcgan": {"fp32": 2.0, "steps": 9.0}} and found.tests is None
    assert "slow" in (out / "log.txt").read_text()


def test_the_command_leaves_what_is_finished(tmp_path):
    plan.main("cpu", 600, tmp_path, only=("tests",))
    found = results.read(tmp_path)
    assert [(piece.name, piece.status) for piece in found.pieces] == [("tests", "done")]
    assert found.tests.failed == [] and found.tests.passed + found.tests.skipped > 0


def test_wheels_become_one_archive_without_their_tests(tmp_path):
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as wheel:
        for name in ("a/__init__.py", "a/tests/test_a.py", "a-1.data/share/x"):
            wheel.writestr(name, "")
    pack.pack(tmp_path, tmp_path / "site.tar.xz")
    listed = subprocess.run(
        ["python3", "-m", "tarfile", "-l", tmp_path / "site.tar.xz"], capture_output=True, text=True
    ).stdout
    assert "a/__init__.py" in listed and "tests" not in listed and "share" not in listed
