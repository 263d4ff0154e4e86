"""The command line as a person meets it: what it leaves, what it refuses, how it exits."""

import json
import re
import signal
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gancourse import files
from gancourse.cli import main
from gancourse.data import DATASETS
from gancourse.gans import vanilla
from gancourse.training import checkpoint

COMMAND = str(Path(sysconfig.get_path("scripts")) / "gancourse")


def call(*arguments):
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refusal(*arguments):
    """Run a command that must be refused, and return its message."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("gancourse: error: ")
    return result.stderr


def train(out, *options, data="ring", steps=4):
    """Run the shortest training there is."""
    run = ("train", "vanilla", "--preset", "smoke", "--data", data, "--device", "cpu")
    return call(*run, "--steps", steps, "--out", out, *options)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """A folder with a GAN of points, trained for 4 steps."""
    out = tmp_path_factory.mktemp("points")
    assert train(out).exit_code == 0
    return out


# As a whole


def test_help_comes_without_importing_what_is_slow():
    code = "import sys, gancourse.cli; print({'torch', 'papermill', 'matplotlib'} & {*sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()"


def test_help_names_every_command():
    result = subprocess.run([COMMAND, "--help"], capture_output=True, text=True)
    assert result.returncode == 0
    for name in ("run", "train", "sample", "data", "doctor"):
        assert f"\n  {name} " in result.stdout


def test_a_mistake_is_one_message_and_exit_code_2_without_a_traceback(tmp_path):
    command = [COMMAND, "train", "vanila", "--out", str(tmp_path / "run")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(r"gancourse: error: .*'vanila'.*'vanilla'\?\n", result.stderr)


def test_a_defect_of_the_course_is_not_hidden(monkeypatch, tmp_path):
    def broken(cfg, run):
        raise RuntimeError("a defect")

    monkeypatch.setattr(vanilla, "build", broken)
    assert isinstance(train(tmp_path / "run").exception, RuntimeError)


# train


def test_training_leaves_generator_checkpoint_log_and_samples(points):
    names = {path.name for path in points.iterdir()}
    assert {"generator.safetensors", "checkpoint.safetensors", "history.jsonl", "samples"} <= names
    rows = [json.loads(row) for row in (points / "history.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 4
    assert {"seconds", "D/adv", "G/adv"} <= rows[-1].keys()
    assert (points / "samples" / "step_0000004.png").exists()


def test_the_generators_card_says_what_it_is(points):
    card = files.load(points / "generator.safetensors")[1]["card"]
    assert (card["model"], card["preset"], card["data"]) == ("vanilla", "smoke", "ring")
    assert (card["seed"], card["step"], card["config"]["sample_shape"]) == (0, 4, [2])


def test_points_take_the_presets_for_the_plane(points):
    card = files.load(points / "generator.safetensors")[1]["card"]
    assert card["config"] == checkpoint.describe(replace(vanilla.PLANE["smoke"], steps=4))


def test_the_data_decide_the_shape_of_a_sample(tmp_path):
    assert train(tmp_path, data="digits").exit_code == 0
    card = files.load(tmp_path / "generator.safetensors")[1]["card"]
    assert card["config"]["sample_shape"] == [1, 28, 28]


def test_a_finished_run_is_not_overwritten(points):
    before = (points / "checkpoint.safetensors").read_bytes()
    result = train(points)
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert (points / "checkpoint.safetensors").read_bytes() == before


def test_resume_goes_on_to_where_one_long_run_ends(tmp_path):
    assert train(tmp_path / "long", steps=6).exit_code == 0
    assert train(tmp_path / "short", steps=3).exit_code == 0
    assert train(tmp_path / "short", "--resume", steps=6).exit_code == 0
    long, short = (
        files.load(tmp_path / name / "generator.safetensors")[0]["netG"]
        for name in ("long", "short")
    )
    assert all(torch.equal(long[key], short[key]) for key in long)


def test_resume_with_another_seed_is_refused_with_the_difference(points):
    result = train(points, "--resume", "--seed", "5", steps=8)
    assert result.exit_code == 2
    assert "seed: 0 -> 5" in result.stderr


def test_resume_knows_a_folder_by_another_path(tmp_path, monkeypatch):
    for name in ("pics", "more"):
        for number in range(90):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("L", (8, 8), number).save(tmp_path / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    assert train("run", data="folder:pics").exit_code == 0
    result = train("run", "--resume", data="folder:more", steps=5)
    assert result.exit_code == 2
    assert f"folder:{(tmp_path / 'more').resolve()}" in result.stderr
    result = train("run", "--resume", data="folder:pics", steps=5)
    assert result.exit_code == 0, result.output
    monkeypatch.chdir(tmp_path / "pics")
    result = train(tmp_path / "run", "--resume", data="folder:../pics", steps=6)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "huge"], "there are: smoke, laptop, paper"),
        (["--data", "digitz"], "Did you mean 'digits'?"),
        (["--device", "tpu"], "there are: auto, cuda, mps, cpu"),
        (["--device", "cuda:99"], "gancourse doctor"),
        (["--precision", "fp8"], "there are: fp32, bf16"),
        (["--seed", "-1"], "0 or more"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_written(tmp_path, options, message):
    assert message in refusal("train", "vanilla", "--out", tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


def test_a_gan_of_pictures_refuses_points(tmp_path):
    message = refusal("train", "dcgan", "--data", "ring", "--out", tmp_path / "run")
    assert "dcgan" in message and "points" in message
    assert not (tmp_path / "run").exists()


def test_ctrl_c_keeps_the_run_and_says_how_to_go_on(monkeypatch, tmp_path):
    step = vanilla.train_step

    def interrupted(gan, batch, run):
        if gan.step == 2:
            signal.raise_signal(signal.SIGINT)
        return step(gan, batch, run)

    monkeypatch.setattr(vanilla, "train_step", interrupted)
    result = train(tmp_path)
    assert result.exit_code == 130
    assert "stopped after step 3; go on with --resume" in result.stderr
    assert (tmp_path / "generator.safetensors").exists()


# sample


def test_samples_of_points_are_drawn(points, tmp_path):
    assert call("sample", points, "-o", tmp_path / "points.png").exit_code == 0
    assert Image.open(tmp_path / "points.png").format == "PNG"


def test_the_seed_decides_the_samples(points, tmp_path):
    # The file itself will do in place of its folder.
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        file = points / "generator.safetensors"
        assert call("sample", file, "--seed", seed, "-o", tmp_path / name).exit_code == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_as_many_pictures_are_drawn_as_were_asked_for(tmp_path):
    assert train(tmp_path, data="digits").exit_code == 0
    for count, side in ((4, 2), (9, 3)):
        call("sample", tmp_path, "-n", count, "-o", tmp_path / "grid.png")
        assert 2 * 28 * side <= Image.open(tmp_path / "grid.png").width < 2 * 28 * (side + 1)


def test_a_folder_without_a_generator_is_refused(tmp_path):
    assert "there is no file" in refusal("sample", tmp_path)


def test_a_checkpoint_is_no_generator(points):
    assert "does not say which GAN" in refusal("sample", points / "checkpoint.safetensors")


def test_a_damaged_generator_is_refused(points, tmp_path):
    whole = (points / "generator.safetensors").read_bytes()
    (tmp_path / "generator.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal("sample", tmp_path)


def test_a_generator_of_another_version_is_refused(points, tmp_path):
    states, header = files.load(points / "generator.safetensors")
    header["card"]["config"]["sharpness"] = 3
    files.save(tmp_path / "generator.safetensors", states, **header)
    assert "another version" in refusal("sample", tmp_path)


# Translators


@pytest.fixture(scope="module")
def sketches(tmp_path_factory):
    """A folder with a Pix2Pix, trained for 2 steps."""
    out = tmp_path_factory.mktemp("sketches")
    result = call(
        *("train", "pix2pix", "--preset", "smoke", "--data", "sketch2face:16"),
        *("--device", "cpu", "--steps", 2, "--out", out),
    )
    assert result.exit_code == 0, result.output
    return out


def test_a_translator_leaves_pictures_of_input_output_and_target(sketches):
    card = files.load(sketches / "generator.safetensors")[1]["card"]
    assert (card["config"]["channels_A"], card["config"]["channels_B"]) == (1, 3)
    width, height = Image.open(sketches / "samples" / "step_0000002.png").size
    assert width == 2 * (3 * 96 + 2 * 2 + 2 * 4)  # three columns, with gaps and margins, doubled
    assert height == 2 * (12 * 96 + 11 * 2 + 20 + 2 * 4)  # twelve rows, under their titles


def test_a_translator_is_sampled_on_pictures_held_out_or_given(sketches, tmp_path):
    assert call("sample", sketches, "-n", 4, "-o", tmp_path / "a.png").exit_code == 0
    given = sketches / "samples" / "step_0000002.png"
    result = call("sample", sketches, "--input", given, "-o", tmp_path / "b.png")
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "b.png").width < Image.open(tmp_path / "a.png").width


def test_pictures_that_are_held_out_are_found_from_another_folder(tmp_path, monkeypatch):
    for number in range(24):
        for side in "AB":
            path = tmp_path / "pics" / side / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), number).save(path)
    monkeypatch.chdir(tmp_path)
    training = ["train", "cyclegan", "--preset", "smoke", "--steps", "1", "--device", "cpu"]
    result = call(*training, "--data", "unpaired:pics", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    monkeypatch.chdir(tmp_path / "pics")
    result = call("sample", tmp_path / "run", "-o", tmp_path / "grid.png")
    assert result.exit_code == 0, result.output


def test_too_few_pictures_are_told_before_anything_is_written(tmp_path):
    for number in range(4):
        for side in "AB":
            (tmp_path / side).mkdir(exist_ok=True)
            Image.new("L", (8, 8), number).save(tmp_path / side / f"{number}.png")
    training = ["train", "cyclegan", "--preset", "smoke", "--device", "cpu"]
    message = refusal(*training, "--data", f"unpaired:{tmp_path}", "--out", tmp_path / "run")
    assert re.match(r"gancourse: error: a batch of \d+ was asked for, but .* A has", message)
    assert not (tmp_path / "run").exists()


def test_a_translator_without_its_data_is_refused_before_anything_is_written(tmp_path):
    message = refusal("train", "pix2pix", "--data", "digits", "--out", tmp_path / "run")
    assert "input" in message and "sketch2face" in message
    assert not (tmp_path / "run").exists()


def test_noise_takes_no_input(points, tmp_path):
    assert "--input" in refusal("sample", points, "--input", tmp_path)


# data


def test_the_data_sets_are_listed():
    result = call("data", "list")
    names = [line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert names == [*DATASETS]


def test_what_ships_is_checked_and_needs_no_download():
    result = call("data", "check", "digits")
    assert result.exit_code == 0
    assert "4,000 pictures" in result.stdout
    assert call("data", "fetch", "digits").stdout == result.stdout


def test_a_folder_of_ones_own_is_checked(tmp_path):
    assert "0 pictures" in refusal("data", "check", tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    assert call("data", "check", tmp_path).exit_code == 0


def test_an_unknown_data_set_is_refused():
    assert "Did you mean 'digits'?" in refusal("data", "fetch", "digit")
    assert "Did you mean 'digits'?" in refusal("data", "check", "digit")
