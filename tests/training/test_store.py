"""What a run's folder keeps, whom it lets in, and what it says when something is damaged."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gancourse.data.mixtures import Mixture, ring
from gancourse.data.pairs import UnpairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CheckpointError, CourseError, TrainingDiverged
from gancourse.files import statefile
from gancourse.gans import cyclegan, vanilla
from gancourse.training import History, runtime, store
from gancourse.training.loop import train
from gancourse.training.ownership import LOCK, owned

CFG = replace(vanilla.PLANE["smoke"], g_hidden=(8,), d_hidden=(8,), batch_size=16, steps=12)


def new(cfg=CFG, seed=0):
    run = runtime.start("cpu", seed)
    return vanilla.build(cfg, run), run


def fit(folder, cfg=CFG, step=vanilla.train_step, seed=0, **options):
    gan, run = new(cfg, seed)
    gan.run = run
    options = {"quiet": True, "out_dir": folder, "log_every": 2, "checkpoint_every": 4} | options
    return gan, train(gan, step, ring(), run, **options)


def weights(gan):
    return statefile.flatten({n: p.state_dict() for n, p in gan.parts().items()})


def same(first, second):
    (tree, tensors), (other_tree, others) = map(weights, (first, second))
    return tree == other_tree and all(torch.equal(t, others[n]) for n, t in tensors.items())


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a run of 8 of 12 steps."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    fit(folder, steps=8)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps: the GAN and its history."""
    return fit(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def copied(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "copy")


# One run at a time


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_is_at_work(tmp_path):
    seen = []

    def step(gan, batch, run):
        for resume in (False, True):
            with pytest.raises(CheckpointError, match="another run is at work"):
                fit(tmp_path / "run", seed=1, resume=resume)
            seen.append(resume)
        return vanilla.train_step(gan, batch, run)

    fit(tmp_path / "run", step=step, steps=1)
    assert seen == [False, True]


def test_nothing_but_the_run_is_left_after_its_end(stopped):
    left = {path.name for path in stopped.iterdir()}
    assert left == {"checkpoint.safetensors", "generator.safetensors", "history.jsonl"}


def test_a_lock_that_a_killed_run_left_keeps_nobody_out(copied):
    (copied / LOCK).touch()
    gan, _ = fit(copied, resume=True)
    assert gan.step == 12 and not (copied / LOCK).exists()


def test_a_cell_that_was_interrupted_twice_can_be_run_again(tmp_path):
    def step(gan, batch, run):
        if gan.step == 6:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return vanilla.train_step(gan, batch, run)

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", step=step)
    gan, _ = fit(tmp_path / "run", resume=True)
    assert gan.step == 12
    assert not [path for path in (tmp_path / "run").rglob(".*")]


def test_only_what_a_killed_run_left_is_removed(stopped, tmp_path):
    folder = shutil.copytree(stopped, tmp_path / "run")
    (folder / "samples").mkdir(exist_ok=True)
    mine = [folder / ".mine.part", folder / "samples" / ".other.part"]
    for path in (*mine, folder / ".0123456789abcdef.part"):
        path.write_text("half")
    (folder / ".x.part").mkdir()
    fit(folder, steps=8, resume=True)
    assert all(path.read_text() == "half" for path in mine)
    assert (folder / ".x.part").is_dir()
    assert not (folder / ".0123456789abcdef.part").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize(
    "make",
    [
        Path.mkdir,
        os.mkfifo,
        lambda path: path.symlink_to("/dev/null/x"),
        lambda path: path.symlink_to("absent"),
        lambda path: path.symlink_to("mine"),
        lambda path: path.write_text("mine"),
    ],
)
def test_what_is_no_lock_is_kept_and_its_folder_refused(tmp_path, make):
    (tmp_path / "mine").write_text("mine")
    make(tmp_path / LOCK)
    before = {path: path.lstat().st_mode for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=f"cannot use .*{LOCK}.*Move it away"):
        fit(tmp_path)
    assert {path: path.lstat().st_mode for path in tmp_path.iterdir()} == before
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_file_called_lock_is_the_users(tmp_path):
    (tmp_path / ".lock").write_text("mine")
    fit(tmp_path, steps=1)
    assert (tmp_path / ".lock").read_text() == "mine"


def test_a_folder_that_stays_empty_is_removed_again(tmp_path):
    with owned(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    with owned(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


@pytest.mark.parametrize("broken", ["step", "record"])
def test_a_run_that_fails_in_its_first_step_leaves_no_folder(tmp_path, broken):
    def fails(*_):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        fit(tmp_path / "run", **{broken: fails})
    assert not (tmp_path / "run").exists()


# What protects a folder


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("trace", ["history.jsonl", "generator.safetensors", "samples/1.png"])
def test_any_trace_of_a_run_protects_a_folder(tmp_path, trace, resume):
    (tmp_path / trace).parent.mkdir(exist_ok=True)
    (tmp_path / trace).write_text("precious")
    with pytest.raises(CheckpointError, match=rf"{trace.split('/')[0]}.*no checkpoint"):
        fit(tmp_path, resume=resume)
    assert (tmp_path / trace).read_text() == "precious"


@pytest.mark.parametrize("resume", [False, True])
def test_a_link_to_a_checkpoint_that_is_gone_is_no_empty_folder(tmp_path, resume):
    (tmp_path / "checkpoint.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        fit(tmp_path, resume=resume)


def test_resume_begins_where_nothing_is_there(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("missing", "empty"):
        assert fit(tmp_path / folder, resume=True)[0].step == 12


# What a checkpoint holds


def record(gan):
    return {"noise": torch.rand(2), "pair": (gan.step, 1.5), "note": ["a", None, True], 3: {}}


def test_records_are_those_of_a_run_that_was_not_stopped(tmp_path):
    options = {"record": record, "record_every": 3}
    _, history = fit(tmp_path / "whole", **options)
    fit(tmp_path / "parts", steps=7, **options)
    for _ in range(2):  # the second time it is finished already
        _, again = fit(tmp_path / "parts", resume=True, **options)
        assert repr(again.records) == repr(history.records)
        assert [step for step, _ in again.records] == [0, 3, 6, 9, 12]


def test_a_record_that_cannot_be_kept_is_an_error_at_once(tmp_path):
    for value in (object(), {"net": torch.nn.Linear(1, 1)}, {(1, 2): 3}):
        with pytest.raises(CourseError, match="record= returned cannot be kept"):
            fit(tmp_path / "run", record=lambda gan, value=value: value)
        assert not (tmp_path / "run").exists()
    kept = object()
    _, history = fit(None, record=lambda gan: kept)
    assert history.records[0] == (0, kept)


@pytest.mark.parametrize("log_every", [1, 2, 3, 5, 7, 20])
@pytest.mark.parametrize("folder", [True, False])
def test_a_stop_within_a_log_window_changes_neither_history_nor_weights(
    tmp_path, log_every, folder
):
    def stops(gan, batch, run):
        if gan.step == 7:
            signal.raise_signal(signal.SIGINT)
        return vanilla.train_step(gan, batch, run)

    places = [tmp_path / name if folder else None for name in ("whole", "parts")]
    whole, expected = fit(places[0], log_every=log_every)
    gan, history = fit(places[1], log_every=log_every, step=stops)
    assert history.steps[-1] == 8
    if folder:
        gan, history = fit(places[1], log_every=log_every, resume=True)
        rows = [json.loads(row) for row in (places[1] / "history.jsonl").open()]
        assert [row["step"] for row in rows] == expected.steps
    else:
        history = train(gan, vanilla.train_step, ring(), gan.run, log_every=log_every, quiet=True)
    assert history.steps == expected.steps and history.values == expected.values
    assert same(gan, whole)


# What a checkpoint must not hold


def spoil(folder, change):
    """Change the state of a checkpoint."""
    path = folder / "checkpoint.safetensors"
    state, header = statefile.load(path)
    change(state, header)
    statefile.save(path, state, **header)


def put(*keys, value):
    """Return a change that puts a value to a place in the state."""

    def change(state, header):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


def drop(*keys):
    def change(state, header):
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


def nan_weights(state, header):
    state["parts"]["netG"]["out.bias"].fill_(float("nan"))


WRONG = {
    "a shape in the optimizer": put("parts", "opt_g", "state", 0, "exp_avg", value=torch.zeros(3)),
    "a large shape": put("parts", "opt_d", "state", 1, "exp_avg_sq", value=torch.zeros(999)),
    "a dtype": put("parts", "opt_g", "state", 0, "exp_avg", value=torch.zeros(8, 2).double()),
    "the optimizer's step": put("parts", "opt_g", "state", 0, "step", value=torch.zeros(2)),
    "a step that is no tensor": put("parts", "opt_g", "state", 0, "step", value="7"),
    "a step of NaN": put("parts", "opt_g", "state", 0, "step", value=torch.tensor(float("nan"))),
    "a part of the optimizer's state": drop("parts", "opt_g", "state", 0, "exp_avg"),
    "a weight too many": put("parts", "opt_g", "state", 99, value={}),
    "other weights": put("parts", "opt_g", "param_groups", 0, "params", value=[5, 4, 3, 2, 1, 0]),
    "no groups": put("parts", "opt_g", "param_groups", value=[]),
    "a rate in words": put("parts", "opt_g", "param_groups", 0, "lr", value="fast"),
    "an infinite rate": put("parts", "opt_g", "param_groups", 0, "lr", value=float("inf")),
    "no state": drop("parts", "opt_g", "state"),
    "no netD": drop("parts", "netD"),
    "no optimizers": drop("parts", "opt_d"),
    "no average": drop("parts", "ema"),
    "a part too many": put("parts", "netE", value={}),
    "a part in words": put("parts", "netG", value="weights"),
    "no parts": put("parts", value=[]),
    "a shape of a weight": put("parts", "netG", "out.bias", value=torch.zeros(7)),
    "a weight missing": drop("parts", "ema", "net.out.bias"),
    "weights of NaN": nan_weights,
    "a random state that is too short": put("random", "torch", value=torch.zeros(8).byte()),
    "a random position": put("random", "numpy", "rest", value=[10**6, 0, 0.0]),
    "random numbers in words": put("random", "python", 3, value="x"),
    "no random state": drop("random"),
    "a step below 0": put("step", value=-1),
    "a step in words": put("step", value="8"),
    "half a step": put("step", value=1.5),
    "records in words": put("records", value="many"),
    "a record of later": put("records", value=[(99, {})]),
    "an odd window": put("window", value=[[8, ["D/adv"], torch.zeros(2)]]),
    "a window of NaN": put("window", value=[[8, ["D/adv"], torch.tensor([float("nan")])]]),
    "no windows": drop("windows"),
    "no settings": lambda state, header: header.pop("settings"),
    "settings in words": lambda state, header: header.update(settings="ring"),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_state_that_does_not_fit_is_refused_and_leaves_the_gan_as_it_was(copied, change):
    spoil(copied, change)
    gan, run = new()
    before, random = weights(gan), torch.get_rng_state()
    with pytest.raises(CheckpointError):
        train(gan, vanilla.train_step, ring(), run, out_dir=copied, resume=True, quiet=True)
    assert gan.step == 0 and before[0] == weights(gan)[0]
    assert all(torch.equal(tensor, before[1][name]) for name, tensor in weights(gan)[1].items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_state_that_was_saved_fits(copied, whole):
    spoil(copied, lambda state, header: None)
    assert same(fit(copied, resume=True)[0], whole[0])


def unpaired(size):
    pictures = torch.randint(256, (8, 3, size, size), generator=torch.Generator().manual_seed(0))
    sides = (ImageData(pictures.byte(), None, name) for name in "ab")
    return UnpairedImages(*sides, "made up")


POOL = {
    "other pictures": torch.zeros(2, 3, 9, 9),
    "too many": torch.zeros(99, 3, 32, 32),
    "no pictures": torch.zeros(2),
    "words": "pictures",
    "NaN": torch.full((2, 3, 32, 32), float("nan")),
}


@pytest.mark.parametrize("images", POOL.values(), ids=POOL)
def test_a_pool_or_a_schedule_that_does_not_fit_is_refused(tmp_path, images):
    cfg = replace(cyclegan.PRESETS["smoke"], image_size=32)

    def go(**options):
        run = runtime.start("cpu", 0)
        gan = cyclegan.build(cfg, run)
        train(gan, cyclegan.train_step, unpaired(32), run, out_dir=tmp_path, quiet=True, **options)
        return gan

    def stops(gan, batch, run):
        signal.raise_signal(signal.SIGINT)
        return cyclegan.train_step(gan, batch, run)

    run = runtime.start("cpu", 0)
    train(cyclegan.build(cfg, run), stops, unpaired(32), run, out_dir=tmp_path, quiet=True)
    good = (tmp_path / "checkpoint.safetensors").read_bytes()
    for change in (
        put("parts", "pool_A", "images", value=images),
        put("parts", "schedule_g", "last_epoch", value="1"),
        drop("parts", "schedule_d", "base_lrs"),
        put("parts", "schedule_d", "step", value=3),
    ):
        spoil(tmp_path, change)
        with pytest.raises(CheckpointError, match="does not fit"):
            go(resume=True)
        (tmp_path / "checkpoint.safetensors").write_bytes(good)
    assert go(resume=True).step == cfg.steps


# History


def lines(folder):
    return (folder / "history.jsonl").read_bytes().splitlines(keepends=True)


def between(position, line):
    return lambda rows: [*rows[:position], line, *rows[position:]]


def instead(position, line):
    return lambda rows: [*rows[:position], line, *rows[position + 1 :]]


HARMLESS = {
    "a byte-order mark": lambda rows: [b"\xef\xbb\xbf", *rows],
    "blank lines": between(1, b"\n  \r\n\n"),
    "a last line cut short": lambda rows: [*rows, b'{"step": 9, "sec'],
    "no last line break": lambda rows: [*rows[:-1], rows[-1].strip()],
    "rows after the checkpoint": lambda rows: [*rows, b'{"step": 10, "seconds": 1, "D/adv": 9}\n'],
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_loses_nothing_is_no_damage(copied, whole, capsys, change):
    (copied / "history.jsonl").write_bytes(b"".join(change(lines(copied))))
    _, history = fit(copied, resume=True)
    assert history.values == whole[1].values and history.steps == whole[1].steps
    assert "damaged" not in capsys.readouterr().err
    assert not list(copied.glob("*damaged*"))


DAMAGED = {
    "NUL bytes": instead(1, b"\0" * 80 + b"\n"),
    "half a row": instead(1, b'{"step": 4, "seco\n'),
    "a row in words": instead(1, b'"step"\n'),
    "a list": instead(1, b"[4]\n"),
    "not UTF-8": instead(1, b'{"step": 4, "seconds": 1, "D/\xff": 1}\n'),
    "NaN": instead(1, b'{"step": 4, "seconds": 1, "D/adv": NaN}\n'),
    "text for a number": instead(1, b'{"step": 4, "seconds": "1", "D/adv": 1}\n'),
    "no step": instead(1, b'{"seconds": 1}\n'),
    "half a step": instead(1, b'{"step": 3.5, "seconds": 1}\n'),
    "a huge number": instead(1, b'{"step": 4, "seconds": 1e999}\n'),
    "deep nesting": instead(1, b"[" * 100_000 + b"\n"),
    "a step twice": instead(1, b'{"step": 2, "seconds": 1, "D/adv": 1}\n'),
    "a row gone": instead(1, b""),
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_row_is_told_and_the_file_kept_with_all_other_rows(copied, whole, capsys, change):
    damaged = b"".join(change(lines(copied)))
    (copied / "history.jsonl").write_bytes(damaged)
    (copied / "history.jsonl.damaged").write_text("of an earlier time")
    gan, history = fit(copied, resume=True)
    assert history.steps == [2, 6, 8, 10, 12] and same(gan, whole[0])
    assert [json.loads(row)["step"] for row in lines(copied)] == history.steps
    assert (copied / "history.jsonl.damaged").read_text() == "of an earlier time"
    assert (copied / "history.jsonl.damaged-2").read_bytes() == damaged
    said = capsys.readouterr().err
    assert "history.jsonl: 1 rows are damaged or missing" in said and "damaged-2" in said


def test_a_damaged_history_stays_until_its_successor_is_written(copied, monkeypatch, capsys):
    damaged = b"".join(instead(1, b"half\n")(lines(copied)))
    (copied / "history.jsonl").write_bytes(damaged)

    def fails(*_):
        raise CourseError("the disk is full")

    with monkeypatch.context() as broken, pytest.raises(CourseError, match="disk is full"):
        broken.setattr("gancourse.training.history.write_atomically", fails)
        fit(copied, resume=True)
    assert (copied / "history.jsonl").read_bytes() == damaged
    assert "rows are damaged" not in capsys.readouterr().err
    _, history = fit(copied, resume=True)
    assert history.steps == [2, 6, 8, 10, 12]
    assert "history.jsonl: 1 rows are damaged" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling link"])
def test_a_history_that_is_no_file_is_set_aside(copied, capsys, kind):
    path = copied / "history.jsonl"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(copied / "gone")
    _, history = fit(copied, resume=True)
    assert history.steps == [10, 12] and os.path.lexists(copied / "history.jsonl.damaged")
    assert "4 rows are damaged or missing" in capsys.readouterr().err


def test_a_run_that_died_after_a_stop_within_a_window_is_not_damaged(tmp_path, capsys):
    def stop_at(last, error=None):
        def step(gan, batch, run):
            if gan.step == last - 1:
                if error:
                    raise error
                os.kill(os.getpid(), signal.SIGINT)
            return vanilla.train_step(gan, batch, run)

        return step

    options = {"log_every": 5, "checkpoint_every": 100}
    fit(tmp_path / "run", step=stop_at(7), **options)
    with pytest.raises(RuntimeError, match="a defect"):
        broken = stop_at(12, RuntimeError("a defect"))
        fit(tmp_path / "run", step=broken, resume=True, **options)
    _, history = fit(tmp_path / "run", resume=True, **options)
    assert history.damaged == 0
    assert "damaged" not in capsys.readouterr().err
    assert not list((tmp_path / "run").glob("*.damaged*"))


@pytest.mark.parametrize("state", [5, {}, {"step": "8"}, {"step": True}, {"step": -1}])
@pytest.mark.parametrize("resume", [False, True])
def test_a_state_without_its_step_is_refused(copied, state, resume):
    _, header = statefile.load(copied / "checkpoint.safetensors")
    statefile.save(copied / "checkpoint.safetensors", state, **header)
    with pytest.raises(CheckpointError, match="at which step"):
        fit(copied, resume=resume)


def test_a_history_that_is_gone_is_told(copied, capsys):
    (copied / "history.jsonl").unlink()
    fit(copied, resume=True)
    assert "4 rows are damaged or missing" in capsys.readouterr().err
    assert History.read(copied / "history.jsonl", until=99).steps == [10, 12]


# What identifies a run


def resumed(folder, data, cfg=CFG, seed=0, **options):
    run = runtime.start("cpu", seed)
    gan = vanilla.build(cfg, run)
    train(gan, vanilla.train_step, data, run, out_dir=folder, resume=True, quiet=True, **options)
    return gan


def pictures(count=20, changed=None, classes=("cat", "dog")):
    values = torch.randint(256, (count, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    if changed is not None:
        values[changed, 0, 0, 0] ^= 1
    labels = torch.arange(count) % len(classes)
    return ImageData(values.byte(), labels, "mine", classes)


IMAGES = replace(CFG, sample_shape=(1, 2, 2))


@pytest.fixture
def of_pictures(tmp_path):
    resumed(tmp_path / "run", pictures(), IMAGES, steps=4)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (pictures(21), "content.rows: 20 -> 21"),
        (pictures(19), "content.rows: 20 -> 19"),
        (pictures(changed=0), "content.real: "),
        (pictures(changed=13), "content.real: "),
        (pictures(classes=("dog", "cat")), r"fields.labels.names: \['cat', 'dog'\] -> \['dog', 'c"),
        (pictures(classes=("cat", "dog", "fox")), "fields.labels.count: 2 -> 3"),
        (pictures().take("real"), "fields.labels: .* -> \\(absent\\)"),
    ],
)
def test_other_data_are_refused_with_a_line_for_each_difference(of_pictures, data, line):
    with pytest.raises(CheckpointError, match=line):
        resumed(of_pictures, data, IMAGES)
    assert resumed(of_pictures, pictures().to("cpu"), IMAGES).step == 12


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"cfg": replace(CFG, batch_size=15, lr_g=1.0)}, "lr_g: .* -> 1.0\n  batch_size: 16 -> 15"),
        ({"seed": 3}, "seed: 0 -> 3"),
        ({"data": ring(12)}, "data: ring -> ring:12"),
        ({"data": Mixture(ring().means, 0.5, "ring")}, "content.std: 0.01 -> 0.5"),
    ],
)
def test_another_setting_is_refused_with_a_line_for_each_difference(copied, changes, line):
    with pytest.raises(CheckpointError, match=line):
        resumed(copied, **({"data": ring()} | changes))


def test_pictures_may_have_moved(of_pictures):
    moved = pictures()
    moved.name = "mine:elsewhere"
    spoil(of_pictures, lambda state, header: header["settings"].update(data="mine:here"))
    assert resumed(of_pictures, moved, IMAGES).step == 12
    other = pictures(changed=3)
    other.name = "mine:elsewhere"
    with pytest.raises(CheckpointError, match=r"content\.real: "):
        resumed(of_pictures, other, IMAGES)


def test_a_folder_that_another_gan_has_filled_is_not_trained_into(copied):
    before = (copied / "checkpoint.safetensors").read_bytes()
    gan, run = new()
    train(gan, vanilla.train_step, ring(), run, steps=8, quiet=True)
    with pytest.raises(CheckpointError, match="holds a run already"):
        train(gan, vanilla.train_step, ring(), run, steps=12, quiet=True, out_dir=copied)
    assert (copied / "checkpoint.safetensors").read_bytes() == before


def test_a_run_of_torchrun_knows_its_own_folder(copied, tmp_path, monkeypatch):
    assert not store.begun_by(copied, "job") and not store.begun_by(tmp_path, "job")
    monkeypatch.setattr(store.parallel, "job", lambda: "job")
    fit(tmp_path / "run", steps=2)
    assert store.begun_by(tmp_path / "run", "job")
    assert not store.begun_by(tmp_path / "run", "other") and not store.begun_by(copied, "")


def test_a_divergence_keeps_the_generator_that_is_there(copied):
    before = (copied / "generator.safetensors").read_bytes()

    def step(gan, batch, run):
        losses = vanilla.train_step(gan, batch, run)
        return losses if gan.step < 10 else {tag: loss * torch.nan for tag, loss in losses.items()}

    with pytest.raises(TrainingDiverged):
        fit(copied, resume=True, step=step, steps=12)
    assert (copied / "generator.safetensors").read_bytes() == before


def test_a_disk_that_is_full_at_the_end_leaves_the_generator(tmp_path, monkeypatch):
    keep = store.Store.keep

    def full(self):
        if self.gan.step == 12:
            raise CourseError("cannot write checkpoint.safetensors: the disk is full.")
        keep(self)

    monkeypatch.setattr(store.Store, "keep", full)
    with pytest.raises(CourseError, match="the disk is full"):
        fit(tmp_path / "run")
    card = statefile.load(tmp_path / "run" / "generator.safetensors")[1]["card"]
    assert card["step"] == 12


@pytest.mark.parametrize("place", ["settings", "fields"])
def test_of_many_differences_the_first_are_told(copied, place):
    def more(state, header):
        found = header["settings"] if place == "settings" else header["settings"][place]
        found.update({f"made up {i}": i for i in range(3_000)})

    spoil(copied, more)
    with pytest.raises(CheckpointError, match=r"(?s)made up 1:.*and 2,980 more") as told:
        fit(copied, resume=True, steps=8)
    assert len(str(told.value)) < 2_000


def test_what_may_change_is_said(copied, capsys):
    gan = resumed(copied, ring(), steps=20)
    assert gan.step == 20
    assert "goes on with another setting: steps: 8 -> 20" in capsys.readouterr().err


def test_the_generators_card_names_the_classes(of_pictures):
    card = statefile.load(of_pictures / "generator.safetensors")[1]["card"]
    assert card["fields"]["labels"]["names"] == ["cat", "dog"]


SCHEDULED = replace(cyclegan.PRESETS["smoke"], image_size=32, steps=6)


@pytest.mark.parametrize("steps", [3, 18])
def test_a_schedule_takes_no_other_number_of_steps(tmp_path, steps):
    def go(cfg, **options):
        run = runtime.start("cpu", 0)
        gan = cyclegan.build(cfg, run)
        train(gan, cyclegan.train_step, unpaired(32), run, out_dir=tmp_path / "run", quiet=True,
              **options)  # fmt: skip

    with pytest.raises(CourseError, match=rf"built for 6 steps.*Config of {steps} steps"):
        go(SCHEDULED, steps=steps)
    assert not (tmp_path / "run").exists()
    go(SCHEDULED)
    with pytest.raises(CheckpointError, match=f"steps: 6 -> {steps}"):
        go(replace(SCHEDULED, steps=steps), resume=True)


# What is known before anything is written


@pytest.mark.parametrize(
    ("module", "batch_size", "count", "words"),
    [
        (vanilla, 0, 20, "batch_size must be a whole number"),
        (vanilla, 1.5, 20, "batch_size must be a whole number"),
        (vanilla, 64, 20, r"a batch of 64 .* 20 pictures.*batch_size=20"),
        (vanilla, 64, 1, r"1 pictures\. Take more pictures\.$"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused_and_leaves_no_folder(
    tmp_path, module, batch_size, count, words
):
    with pytest.raises(CourseError, match=words):
        resumed(tmp_path / "run", pictures(count), replace(IMAGES, batch_size=batch_size))
    assert not (tmp_path / "run").exists()


def test_a_first_batch_beyond_the_memory_is_told_and_leaves_no_folder(tmp_path):
    class Large(type(ring())):
        def batch(self, step, size, run):
            return {"real": torch.empty(2**60)}  # no machine has as much

    with pytest.raises(CourseError, match=r"out of memory at step 1.*smaller batch_size"):
        resumed(tmp_path / "run", Large(ring().means, 0.1, "large"))
    assert not (tmp_path / "run").exists()
