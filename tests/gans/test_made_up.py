"""A new GAN is one file: everything else finds it, drives it and publishes it by what it declares.

The file lies in a temporary folder, and no other file is changed for it.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from contract import PROMISES, stopping
from PIL import Image

from gancourse import gans, runs, trained
from gancourse.bench import speed
from gancourse.cli import main
from gancourse.errors import CourseError
from gancourse.files import statefile
from gancourse.trained import show
from gancourse.training import runtime

DATA = "small2large:toons:40"


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gans")
    shutil.copy(Path(__file__).with_name("made_up.py"), folder / "madeup.py")
    gans.__path__.append(str(folder))
    yield gans.find("madeup")
    gans.__path__.remove(str(folder))


def call(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


TRAIN = ("train", "madeup", "--data", DATA, "--preset", "smoke", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(module, tmp_path_factory):
    """A run of both stages by the command line."""
    out = tmp_path_factory.mktemp("run") / "madeup"
    call(*TRAIN, "--out", out)
    return out


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_contract(promise, module):
    promise(module)


def test_both_stages_are_trained_and_logged(folder):
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    assert all("G/mse" in row for row in rows[:4])
    assert all("G/adv" in row and "G/mse" not in row for row in rows[4:])


@pytest.mark.parametrize("stopped", [3, 7])
def test_a_run_that_was_stopped_in_either_stage_ends_bit_for_bit_like_a_whole_one(
    module, folder, tmp_path, stopped, monkeypatch
):
    plan = runs.prepare("madeup", DATA, "smoke")
    run = runtime.start("cpu", 0, **plan.settings(torch.device("cpu")))
    with monkeypatch.context() as patch:
        for stage in module.STAGES:
            patch.setattr(module, stage, stopping(getattr(module, stage), stopped))
        plan.train(plan.build(run), run, out_dir=tmp_path, quiet=True)
    call(*TRAIN, "--out", tmp_path, "--resume")
    ours, theirs = (statefile.load(f / "checkpoint.safetensors")[0] for f in (tmp_path, folder))
    (ours, our_tensors), (theirs, their_tensors) = map(statefile.flatten, (ours, theirs))
    assert ours == theirs
    assert all(torch.equal(tensor, their_tensors[name]) for name, tensor in our_tensors.items())


def test_the_schedule_of_d_counts_the_updates_of_d(module):
    plan, run = runs.prepare("madeup", DATA, "smoke"), runtime.start("cpu", 0)
    gan = plan.build(run)
    plan.train(gan, run, quiet=True)
    assert gan.schedule_d.last_epoch == plan.cfg.steps


def test_it_is_loaded_and_given_what_a_user_has(folder):
    g = trained.load(folder)
    assert set(g.gan.generators()) == {"netG", "netE"}
    small = torch.zeros(2, 3, 8, 8)
    words = g.fields["captions"].words
    text = f"{words[3]}, {words[5]}!"
    made = g.translate(small, text, seed=4)
    assert made.shape == (2, 3, 32, 32)
    assert torch.equal(made, g.sample(seed=4, input=small, captions=[text, text]))
    assert not torch.equal(made, g.translate(small, words[7], seed=4))


@pytest.mark.parametrize(
    ("given", "culprit"),
    [
        ({"input": torch.zeros(2, 3, 9, 8), "captions": "a"}, "input"),
        ({"input": torch.zeros(2, 3, 8, 8)}, "captions"),
        ({"input": torch.zeros(2, 3, 8, 8), "captions": "xylophone"}, "xylophone"),
        ({"input": torch.zeros(2, 3, 8, 8), "captions": ["a", "a", "a"]}, r"\(3, 3, 8, 8\)"),
    ],
)
def test_what_does_not_fit_is_named(folder, given, culprit):
    with pytest.raises(CourseError, match=culprit):
        trained.load(folder).sample(**given)


def test_the_command_line_shows_held_out_rows_and_ones_own(folder, tmp_path):
    call("sample", folder, "-n", 4, "-o", tmp_path / "a.png")
    columns = show.examples(trained.load(folder), 4)
    assert list(columns) == ["input", "output", "target"]
    assert [x.shape[2] for x in columns.values()] == [8, 32, 32]  # the figure enlarges the first
    other = show.examples(trained.load(folder), 4, seed=1)
    same = {title: torch.equal(columns[title], other[title]) for title in columns}
    assert same == {"input": True, "output": False, "target": True}  # the output is of other noise
    Image.new("RGB", (50, 40), "red").save(tmp_path / "mine.png")
    text = trained.load(folder).fields["captions"].words[0]
    own = ("--input", tmp_path / "mine.png", "--given", "captions", text)
    call("sample", folder, *own, "-o", tmp_path / "b.png")
    assert Image.open(tmp_path / "b.png").width < Image.open(tmp_path / "a.png").width


def test_the_benchmark_times_it(module, monkeypatch):
    monkeypatch.setattr(speed, "OTHERS", ("digits", DATA))
    plan = speed.prepare("madeup", "smoke")
    sides = {"fp32": {}, "bf16": {"precision": "bf16"}}
    rows = speed.measure(plan, torch.device("cpu"), sides=sides, rounds=1, seconds=0.01)
    assert [row.side for row in rows] == ["tutorial", "fp32", "bf16"]
    assert all(row.data == plan.data.name and row.ms > 0 for row in rows)


def test_data_without_its_fields_are_refused_with_those_that_have_them(module):
    with pytest.raises(CourseError, match=r"captions.*small2large"):
        runs.prepare("madeup", "digits", "smoke")
