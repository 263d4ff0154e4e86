"""The command line as a person meets it: what it leaves, what it refuses, how it exits."""

import errno
import json
import os
import re
import shutil
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

from gancourse import runs, trained
from gancourse.cli import main
from gancourse.data import DATASETS
from gancourse.data.source import ImageData
from gancourse.files import statefile
from gancourse.gans import vanilla
from gancourse.training import checkpoint, loop

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


def test_what_the_system_refuses_is_told_and_another_defect_is_not_hidden(monkeypatch, tmp_path):
    def refused(number):
        def build(cfg, run):
            raise OSError(number, os.strerror(number), "place\x1b")

        return build

    monkeypatch.setattr(vanilla, "build", refused(errno.ENOSPC))
    result = train(tmp_path / "run")
    assert result.exit_code == 2
    assert r"place\x1b: the disk is full. Free some space" in result.stderr
    monkeypatch.setattr(vanilla, "build", refused(errno.EDOM))
    assert isinstance(train(tmp_path / "run").exception, OSError)


def test_a_name_that_is_not_utf_8_is_told_and_another_encoding_error_is_not_hidden(
    monkeypatch, tmp_path
):
    for name, encoding, kind in (("\udcff", "utf-8", SystemExit), ("é", "ascii", UnicodeError)):
        monkeypatch.setattr(vanilla, "build", lambda cfg, run: name.encode(encoding))  # noqa: B023
        assert isinstance(train(tmp_path / "run").exception, kind)


def test_messages_hold_no_control_codes(tmp_path):
    assert r"\x1b[31m" in refusal("sample", tmp_path / "\x1b[31m")


@pytest.mark.skipif(sys.platform == "win32", reason="no name there holds the end of a line")
def test_a_path_is_printed_on_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = train("a\nb", steps=1)
    assert r"a\nb: trained to step 1; see samples/, or `gancourse sample a\nb`" in result.stdout
    assert r"c\nd.png: 64 samples" in call("sample", "a\nb", "-o", "c\nd.png").stdout
    assert "\ny" not in refusal("sample", "a\nb/x\ny")
    shutil.rmtree("a\nb/samples")
    Path("a\nb/samples").touch()
    assert r"cannot use a\nb/samples" in train("a\nb", "--resume", steps=3).stderr


# Paths


@pytest.mark.parametrize("text", ["", " ", "~no-such-user", "caf\udce9", "n" * 300, "file/x"])
@pytest.mark.parametrize(
    "command",
    [
        ["train", "vanilla", "--out"],
        ["sample"],
        ["sample", ".", "--input"],
        ["sample", ".", "--output"],
        ["run", "01", "--out"],
        ["data", "check"],
        ["run"],
    ],
)
def test_an_odd_path_is_told_and_nothing_is_written(tmp_path, monkeypatch, command, text):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    refusal(*command, text)
    assert [*Path().iterdir()] == [Path("file")]


@pytest.mark.parametrize("text", ["file", os.devnull])
@pytest.mark.parametrize(
    "command",
    [
        ["train", "vanilla", "--out"],
        ["run", "01", "--out"],
        ["run", "01", "--out", "new", "-p", "out_dir"],
        ["bench", "vanilla", "--out"],
    ],
)
def test_a_folder_to_write_in_is_no_file(tmp_path, monkeypatch, command, text):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert "no folder. Move it away" in refusal(*command, text)
    assert [*Path().iterdir()] == [Path("file")]


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "cp874", "cp852"])
def test_training_goes_on_where_the_output_lacks_a_sign(tmp_path, encoding):
    run = ["train", "vanilla", "--preset", "smoke", "--data", "ring", "--device", "cpu"]
    command = [*run, "--steps", "2", "--out", str(tmp_path / "猫")]
    result = CliRunner(charset=encoding).invoke(main, command)
    assert result.exit_code == 0, result.exception
    assert "step 2 of 2 ? " in result.stdout
    assert "?: trained to step 2" in result.stdout or "猫: trained" in result.stdout
    assert (tmp_path / "猫" / "generator.safetensors").exists()


# train


def test_training_says_how_it_computes_and_a_resumed_run_keeps_its_precision(tmp_path):
    run = ["train", "vanilla", "--preset", "smoke", "--data", "ring", "--device", "cpu"]
    run += ["--steps", "2", "--out", str(tmp_path / "run")]
    first = CliRunner().invoke(main, [*run, "--precision", "bf16"])
    assert "cpu, bf16, 1 thread; a step has" in first.stderr, first.exception
    again = CliRunner().invoke(main, [*run, "--resume"])
    assert again.exit_code == 0 and "cpu, bf16, 1 thread" in again.stderr
    other = CliRunner().invoke(main, [*run, "--resume", "--precision", "fp32"])
    assert other.exit_code == 2 and "precision: bf16 -> fp32" in other.stderr


def test_training_leaves_generator_checkpoint_log_and_samples(points):
    names = {path.name for path in points.iterdir()}
    assert {"generator.safetensors", "checkpoint.safetensors", "history.jsonl", "samples"} <= names
    rows = [json.loads(row) for row in (points / "history.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 4
    assert {"seconds", "D/adv", "G/adv"} <= rows[-1].keys()
    assert (points / "samples" / "step_0000004.png").exists()


def test_the_generators_card_says_what_it_is(points):
    card = statefile.load(points / "generator.safetensors")[1]["card"]
    assert (card["model"], card["preset"], card["data"]) == ("vanilla", "smoke", "ring")
    assert (card["seed"], card["step"], card["config"]["sample_shape"]) == (0, 4, [2])


def test_points_take_the_presets_for_the_plane(points):
    card = statefile.load(points / "generator.safetensors")[1]["card"]
    assert card["config"] == checkpoint.describe(replace(vanilla.PLANE["smoke"], steps=4))


def test_the_data_decide_the_shape_of_a_sample(tmp_path):
    assert train(tmp_path, data="digits").exit_code == 0
    card = statefile.load(tmp_path / "generator.safetensors")[1]["card"]
    assert card["config"]["sample_shape"] == [1, 28, 28]


def fails(*_):
    raise AssertionError("steps were made")


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_what_has_the_name_of_the_pictures_is_told_before_the_first_step(
    tmp_path, monkeypatch, kind
):
    monkeypatch.setattr(loop, "go_on", fails)
    samples = tmp_path / "samples"
    samples.symlink_to("absent") if kind == "dangling link" else samples.write_text("mine")
    result = train(tmp_path)
    assert result.exit_code == 2, result.exception
    assert re.search("samples: it is there, and no folder. Move it away", result.stderr)
    assert [*tmp_path.iterdir()] == [samples]


@pytest.mark.parametrize("name", ["samples", "generator.safetensors"])
def test_what_a_resumed_run_could_not_write_is_told_before_its_first_step(
    points, tmp_path, monkeypatch, name
):
    monkeypatch.setattr(loop, "go_on", fails)
    folder = shutil.copytree(points, tmp_path / "run")
    shutil.rmtree(folder / name) if name == "samples" else (folder / name).unlink()
    (folder / name).touch() if name == "samples" else (folder / name).mkdir()
    result = train(folder, "--resume", steps=8)
    assert result.exit_code == 2, result.exception
    assert name in result.stderr


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
        statefile.load(tmp_path / name / "generator.safetensors")[0]["netG"]
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
            grey = number + 100 * (name == "more")
            Image.new("L", (8, 8), grey).save(tmp_path / name / f"{number}.png")
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
        (["--seed", "-1"], "from 0 to"),
        (["--seed", str(2**70)], "9223372036854775807"),
        (["--resume"], "nothing to resume"),
        (["--batch-size", "5000"], "--batch-size"),
        (["--batch-size", "9" * 20, "--data", "ring"], "batch_size must be a whole number from 1"),
        (["--batch-size", str(10**13), "--data", "ring"], "not 10000000000000"),
        (["--batch-size", str(2**62)], "from 1 to 16777216"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_written(tmp_path, options, message):
    assert message in refusal("train", "vanilla", "--out", tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("gan", "sub", "words"),
    [
        ("acgan", "", "labels"),
        ("cgan", "", "labels"),
        ("stargan", "", "attributes"),
        ("acgan", "cat", "one class alone: cat"),
        ("cgan", "cat", "one class alone: cat"),
        ("stargan", "cat", "one class alone: cat"),
    ],
)
def test_missing_or_single_classes_are_told_before_anything_is_written(tmp_path, gan, sub, words):
    folder = tmp_path / "pictures" / sub
    folder.mkdir(parents=True)
    for number in range(24):
        Image.new("RGB", (40, 40), (number, 0, 0)).save(folder / f"{number}.png")
    data = f"folder:{tmp_path / 'pictures'}"
    options = ("--preset", "smoke", "--device", "cpu", "--batch-size", 4, "--out", tmp_path / "run")
    assert words in refusal("train", gan, "--data", data, *options)
    assert not (tmp_path / "run").exists()


def test_few_pictures_can_be_trained_on_with_a_smaller_batch(tmp_path):
    for number in range(46):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    options = ("--preset", "smoke", "--device", "cpu", "--steps", 1, "--out", tmp_path / "run")
    training = ("train", "dcgan", "--data", f"folder:{tmp_path / 'pictures'}", *options)
    assert re.search(
        r"batch_size=(\d+) or less \(--batch-size\)", refusal(*training, "--batch-size", 60)
    )
    assert "2 or more" in refusal(*training, "--batch-size", 1)
    assert not (tmp_path / "run").exists()
    result = call(*training, "--batch-size", 16)
    assert result.exit_code == 0, result.output


def test_a_picture_that_was_replaced_is_noticed_by_resume(tmp_path):
    for number in range(30):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("L", (8, 8), number).save(tmp_path / "pictures" / f"{number}.png")
    data = f"folder:{tmp_path / 'pictures'}"
    assert train(tmp_path / "run", "--batch-size", 8, data=data).exit_code == 0
    for number in (0, 13, 29):  # some are in the test split
        Image.new("L", (8, 8), 100 + number).save(tmp_path / "pictures" / f"{number}.png")
    result = train(tmp_path / "run", "--batch-size", 8, "--resume", data=data, steps=6)
    assert result.exit_code == 2 and "content.real" in result.stderr


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
    states, header = statefile.load(points / "generator.safetensors")
    header["card"]["config"]["sharpness"] = 3
    statefile.save(tmp_path / "generator.safetensors", states, **header)
    assert "another version" in refusal("sample", tmp_path)


@pytest.fixture
def desk(points, tmp_path, monkeypatch):
    """A working folder with a run and what may stand in the way of a picture."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(points, "run")
    Path("text.png").write_text("my notes")
    Path("folder.png").mkdir()
    Path("checkpoint.png").symlink_to("run/checkpoint.safetensors")
    Path("null.png").symlink_to(os.devnull)
    Path("circle.png").symlink_to("circle.png")
    os.mkfifo("pipe.png")
    return tmp_path


def contents(folder):
    """Return what lies below a folder: the bytes of files, and the kinds of other things."""
    return {
        path: path.read_bytes() if path.is_file() else path.lstat().st_mode
        for path in folder.rglob("*")
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize(
    "output",
    [
        *("text.png", "folder.png", "checkpoint.png", "null.png", "circle.png", "pipe.png"),
        *("run", ".", "", "new/", "new/grid.png", "text.png/grid.png", os.devnull),
        *("run/checkpoint.safetensors", "run/history.jsonl", "grid.jpg", "caf\udce9.png"),
        "n" * 252 + ".png",
    ],
)
def test_what_is_no_picture_is_not_replaced(desk, output, monkeypatch):
    monkeypatch.setattr(trained, "load", None)  # it is told before anything is loaded
    before = contents(desk)
    refusal("sample", "run", "-o", output)
    assert contents(desk) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("output", ["old.png", "empty", "link.png", "n" * 251 + ".png", "猫.PNG"])
def test_a_picture_is_replaced_and_a_link_is_followed(desk, output):
    Image.new("L", (8, 8)).save("old.png")
    Path("empty").touch()
    Path("link.png").symlink_to("run/samples/new.png")
    result = call("sample", "run", "-o", output)
    assert result.exit_code == 0, result.output
    assert Image.open(output).width > 8
    assert Path("link.png").is_symlink()


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
    card = statefile.load(sketches / "generator.safetensors")[1]["card"]
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


@pytest.mark.parametrize("source", ["mine.png", ".", "files", "folders", "link.png"])
@pytest.mark.parametrize("output", ["mine.png", "link.png"])
def test_a_picture_is_not_replaced_by_its_translation(
    sketches, tmp_path, monkeypatch, source, output
):
    monkeypatch.chdir(tmp_path)
    Path("inner").mkdir()
    Image.new("L", (16, 16)).save("inner/real.png")
    os.link("inner/real.png", "mine.png")
    Path("link.png").symlink_to("mine.png")
    for folder in ("files", "folders"):
        Path(folder).mkdir()
    Path("files/other.png").symlink_to("../mine.png")
    Path("folders/inner").symlink_to("../inner")
    before = Path("mine.png").read_bytes()
    monkeypatch.setattr(trained, "load", None)  # it is told before anything is loaded
    assert "of --input" in refusal("sample", sketches, "--input", source, "-o", output)
    assert Path("mine.png").read_bytes() == before


def test_a_translation_may_be_written_beside_its_pictures(sketches, tmp_path):
    Image.new("L", (16, 16)).save(tmp_path / "mine.png")
    for _ in range(2):
        given = ("--input", tmp_path / "mine.png", "-o", tmp_path / "translated.png")
        assert call("sample", sketches, *given).exit_code == 0


def test_a_path_in_a_card_is_not_read_but_asked_for(tmp_path, monkeypatch):
    for number in range(24):
        for side in "AB":
            path = tmp_path / "pics" / side / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), number).save(path)
    monkeypatch.chdir(tmp_path)
    training = ["train", "cyclegan", "--preset", "smoke", "--steps", "1", "--device", "cpu"]
    result = call(*training, "--data", "unpaired:pics", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "with --input PICTURES" in refusal("sample", tmp_path / "run")
    result = call("sample", tmp_path / "run", "--input", "pics/A", "-o", tmp_path / "grid.png")
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """A folder with a cGAN of digits, trained for 1 step."""
    out = tmp_path_factory.mktemp("classes")
    result = call(
        *("train", "cgan", "--preset", "smoke", "--data", "fashion"),
        *("--device", "cpu", "--steps", 1, "--out", out),
    )
    assert result.exit_code == 0, result.output
    return out


def test_the_classes_that_are_drawn_are_printed(classes, tmp_path):
    said = call("sample", classes, "-n", 3, "-o", tmp_path / "a.png").stdout
    assert "3 samples of cgan, fashion data; labels T-shirt/top, Trouser, Pullover" in said
    assert "Ankle boot, in turn" in said
    said = call("sample", classes, "--given", "labels", "Bag", "-o", tmp_path / "a.png").stdout
    assert said.strip().endswith("64 samples of cgan, fashion data; labels Bag")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-n", "3000"], "one picture shows 1 to 2,048 samples"),
        (["--given", "labels", "Bga"], "Did you mean 'Bag'?"),
        (["--given", "labels", "10"], "0..9"),
        (["--given", "labels", "-1"], "unknown class '-1'"),
        (["--given", "labels", "nan"], "unknown class 'nan'"),
        (["--given", "labels", "9" * 30], "labels must be a class in 0..9"),
        (["--given", "labels", ""], "unknown class ''"),
        (["--given", "label", "3"], "Did you mean 'labels'?"),
        (["--given", "z", "3"], "unknown condition of cgan 'z'"),
        (["--given", "seed", "3"], "unknown condition of cgan 'seed'"),
        (["--given", "labels", "1", "--given", "labels", "2"], "twice"),
        (["--seed", "-1"], "0 to 9223372036854775807"),
        (["--seed", str(2**63)], "0 to 9223372036854775807"),
        (["--device", "cpuu"], "Did you mean 'cpu'?"),
        (["--device", "cuda:\u00b2"], "number after the colon"),
        (["--device", "cpu:007"], "is not here"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(classes, tmp_path, options, says):
    assert says in refusal("sample", classes, *options, "-o", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_noise_takes_no_conditions(points):
    assert "takes no conditions" in refusal("sample", points, "--given", "labels", "3")


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


def test_a_run_does_not_write_among_its_own_pictures(tmp_path):
    for i in range(20):
        (tmp_path / "pics" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, i, i)).save(tmp_path / "pics" / "ab"[i % 2] / f"{i}.png")
    for out in (tmp_path / "pics", tmp_path / "pics" / "run"):
        run = ("train", "dcgan", "--preset", "smoke", "--data", f"folder:{tmp_path / 'pics'}")
        said = refusal(*run, "--out", out)
        assert "the pictures of --data" in said and "Choose a folder elsewhere" in said
    assert sorted(p.name for p in (tmp_path / "pics").iterdir()) == ["a", "b"]


def test_the_module_imports_nothing_from_the_current_folder(tmp_path):
    (tmp_path / "click.py").write_text("print('somebody else')")
    command = [sys.executable, "-m", "gancourse", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "somebody else" not in done.stdout and done.stdout.startswith("gancourse")


def test_what_a_generator_could_not_say_is_refused_before_the_training(monkeypatch, tmp_path):
    names = tuple(f"kind {i}" for i in range(20_000))
    pixels = torch.zeros(70, 1, 28, 28, dtype=torch.uint8)
    data = ImageData(pixels, torch.arange(70), "mine", names)
    monkeypatch.setattr(runs, "load", lambda name: data)
    said = refusal("train", "cgan", "--preset", "smoke", "--data", "toons", "--out", tmp_path / "r")
    assert "num_classes" in said and not (tmp_path / "r").exists()
