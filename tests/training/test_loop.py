"""The loop: it logs, stops, resumes and fails without losing anything."""

import json
import math
import os
import signal
from dataclasses import replace

import killed_run
import pytest
import torch

from gancourse.data.mixtures import grid, ring
from gancourse.errors import CheckpointError, CourseError, TrainingDiverged
from gancourse.files import statefile
from gancourse.gans import vanilla
from gancourse.training import History, loop, runtime
from gancourse.training.loop import train

CFG = replace(vanilla.PLANE["smoke"], g_hidden=(16,), d_hidden=(16,), batch_size=32, steps=30)


def new(cfg=CFG, seed=0):
    run = runtime.start("cpu", seed)
    return vanilla.build(cfg, run), run


def weights(gan):
    return {
        f"{part}.{name}": tensor.clone()
        for part in ("netG", "netD")
        for name, tensor in getattr(gan, part).state_dict().items()
    }


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def fit(gan, run, step=vanilla.train_step, **options):
    return train(gan, step, ring(), run, **{"quiet": True, **options})


def test_the_same_seed_gives_the_same_curve():
    a, run = new(seed=3)
    first = fit(a, run)
    b, run = new(seed=3)
    assert fit(b, run).values == first.values and same(weights(a), weights(b))
    c, run = new(seed=4)
    assert fit(c, run).values != first.values


def test_showing_and_recording_does_not_change_the_training():
    plain, run = new()
    fit(plain, run)
    shown, run = new()

    def noisy_record(gan):
        return {"noise": torch.rand(2)}

    history = fit(shown, run, sample=vanilla.sample, record=noisy_record, record_every=7)
    assert same(weights(plain), weights(shown))
    assert [step for step, _ in history.records] == [0, 7, 14, 21, 28]


def test_the_log_holds_the_means_of_each_window():
    gan, run = new()
    value = iter(range(100))

    def step(gan, batch, run):
        return {"G/adv": torch.tensor(float(next(value)))}

    history = fit(gan, run, step, log_every=4, steps=10)
    assert history.steps == [4, 8, 10]
    assert history["G/adv"].tolist() == [1.5, 5.5, 8.5]
    with pytest.raises(KeyError, match="logged were: G/adv"):
        history["D/adv"]


def test_a_tag_is_averaged_over_the_steps_that_had_it(tmp_path):
    gan, run = new()

    def step(gan, batch, run):
        losses = {"D/adv": torch.tensor(float(gan.step))}
        return losses if gan.step % 3 else losses | {"G/adv": torch.tensor(10.0 * gan.step)}

    history = fit(gan, run, step, log_every=2, steps=6, out_dir=tmp_path)
    assert history["D/adv"].tolist() == [0.5, 2.5, 4.5]
    assert history["G/adv"][:2].tolist() == [0.0, 30.0] and math.isnan(history["G/adv"][2])
    assert history.latest() == {"D/adv": 4.5, "G/adv": 30.0}
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [("G/adv" in row) for row in rows] == [True, True, False]
    read = History.read(tmp_path / "history.jsonl", until=6)
    assert read.values["D/adv"] == history.values["D/adv"]
    assert read.values["G/adv"][:2] == [0.0, 30.0] and len(read.values["G/adv"]) == 3


def test_a_tag_that_comes_later_is_not_a_number_before():
    history = History()
    history.add(1, 0.0, {"G/mse": 1.0})
    history.add(2, 0.0, {"G/adv": 2.0})
    assert history["G/mse"][0] == 1.0 and history["G/adv"][1] == 2.0
    assert math.isnan(history["G/mse"][1]) and math.isnan(history["G/adv"][0])


def test_a_loss_that_only_some_steps_have_is_watched_too():
    gan, run = new()

    def step(gan, batch, run):
        rare = {"G/rare": torch.tensor(float("nan"))} if gan.step == 7 else {}
        return {"D/adv": torch.tensor(1.0)} | rare

    with pytest.raises(TrainingDiverged) as caught:
        fit(gan, run, step, log_every=5)
    assert (caught.value.term, caught.value.step) == ("G/rare", 8)


def test_running_again_goes_on_and_ends_at_once_when_done():
    whole, run = new()
    fit(whole, run)
    parts, run = new()
    fit(parts, run, steps=11)
    history = fit(parts, run, steps=30)
    assert same(weights(whole), weights(parts))
    assert history.steps[-1] == 30 and history.steps == sorted(set(history.steps))
    before = weights(parts)
    fit(parts, run, steps=30)
    assert same(before, weights(parts))


def test_a_run_leaves_what_it_promises(tmp_path):
    gan, run = new()
    fit(gan, run, sample=vanilla.sample, out_dir=tmp_path, card={"model": "vanilla"}, log_every=10)
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [10, 20, 30]
    assert set(rows[0]) == {"step", "seconds", "D/adv", "G/adv", "D/prob_real", "D/prob_fake"}
    assert (tmp_path / "samples" / "step_0000030.png").stat().st_size > 1000
    state, header = statefile.load(tmp_path / "generator.safetensors")
    assert header["card"]["model"] == "vanilla" and header["card"]["step"] == 30
    average = gan.ema.net.state_dict()
    assert set(state) == {"netG"} and all(
        torch.equal(state["netG"][k], average[k]) for k in average
    )
    assert not list(tmp_path.rglob("*.part"))


KILLS = {
    "vanilla": [("step", 2), ("flush", 1), ("replace", 4), ("flush", 7), ("step", 1)],
    "acgan": [("step", 5), ("flush", 6)],
    "cyclegan": [("replace", 4), ("step", 7)],
    "stargan": [("flush", 3), ("step", 4)],
}


@pytest.mark.parametrize("name", KILLS)
def test_a_run_that_was_killed_again_and_again_ends_bit_for_bit_like_a_whole_one(tmp_path, name):
    assert killed_run.start(name, tmp_path / "whole") == 0
    for moment, count in KILLS[name]:
        assert killed_run.start(name, tmp_path / "killed", moment, count) not in (0, 1)
    assert killed_run.start(name, tmp_path / "killed") == 0
    assert killed_run.end(tmp_path / "killed") == killed_run.end(tmp_path / "whole")


def test_the_stop_button_leaves_a_gan_that_goes_on(capsys):
    whole, run = new()
    fit(whole, run)
    stopped, run = new()

    def step(gan, batch, run):
        if gan.step == 12 and not getattr(gan, "pressed", False):
            gan.pressed = True
            signal.raise_signal(signal.SIGINT)
        return vanilla.train_step(gan, batch, run)

    handler = signal.getsignal(signal.SIGINT)
    history = fit(stopped, run, step, quiet=False)
    assert stopped.step == 13 and history.steps[-1] == 13
    assert "stopped at step 13 of 30" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is handler
    assert vanilla.sample(stopped, 4).shape == (4, 2)
    fit(stopped, run, step)
    assert stopped.step == 30 and same(weights(whole), weights(stopped))


def test_a_second_interrupt_ends_it_at_once():
    gan, run = new()

    def step(gan, batch, run):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second interrupt was swallowed")

    with pytest.raises(KeyboardInterrupt):
        fit(gan, run, step)


def breaks_at(bad_step, tag="G/adv", value=float("nan")):
    def step(gan, batch, run):
        losses = vanilla.train_step(gan, batch, run)
        if gan.step + 1 == bad_step:
            losses[tag] = losses[tag] * value
            next(gan.netG.parameters()).data.fill_(float("nan"))
        return losses

    return step


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("folder", [True, False])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_state(
    tmp_path, value, folder
):
    gan, run = new()
    out_dir = tmp_path if folder else None
    with pytest.raises(TrainingDiverged, match=r"G/adv became NaN or infinite at step 17.*Lower"):
        fit(gan, run, breaks_at(17, value=value), checkpoint_every=10, out_dir=out_dir)
    good, run = new()
    fit(good, run, steps=10)
    assert gan.step == 10 and same(weights(gan), weights(good))
    assert vanilla.sample(gan, 2).isfinite().all()
    if folder:
        state, _ = statefile.load(tmp_path / "checkpoint.safetensors")
        assert state["step"] == 10


def test_a_log_window_is_never_so_long_that_it_cannot_be_kept():
    every = loop.intervals(10**8, log=None, sample=None, checkpoint=None, record=None)
    assert every["log"] == loop.LONGEST_WINDOW and every["checkpoint"] % every["log"] == 0
    every = loop.intervals(10**8, log=10**6, sample=None, checkpoint=None, record=None)
    assert every["log"] == 10**6


def test_a_run_that_diverges_at_once_is_put_back_to_its_beginning(tmp_path):
    gan, run = new()
    fit(gan, run, steps=5)
    before = weights(gan)
    with pytest.raises(TrainingDiverged):
        fit(gan, run, breaks_at(7), checkpoint_every=20)
    assert gan.step == 5 and same(weights(gan), before)


def test_after_a_divergence_the_history_goes_on_from_the_good_state(tmp_path):
    gan, run = new()
    with pytest.raises(TrainingDiverged):
        fit(gan, run, breaks_at(17), checkpoint_every=10, out_dir=tmp_path)
    history = fit(gan, run, out_dir=tmp_path)
    rows = (tmp_path / "history.jsonl").read_text().splitlines()
    assert history.steps == [json.loads(row)["step"] for row in rows] == list(range(1, 31))


def test_an_error_in_the_middle_of_a_step_leaves_nothing_frozen():
    gan, run = new()
    real = gan.opt_g.step

    def out_of_memory():
        gan.opt_g.step = real
        raise torch.OutOfMemoryError("CUDA out of memory")

    gan.opt_g.step = out_of_memory
    with pytest.raises(CourseError, match="ran out of memory"):
        fit(gan, run)
    assert fit(gan, run).steps[-1] == 30


def test_weights_that_are_not_finite_are_never_kept():
    gan, run = new()

    def step(gan, batch, run):
        losses = vanilla.train_step(gan, batch, run)
        if gan.step == 19:  # the losses of this step are still good
            next(gan.netD.parameters()).data[0] = float("inf")
        return losses

    with pytest.raises(TrainingDiverged, match="the weights of netD"):
        fit(gan, run, step, checkpoint_every=10)
    assert gan.step == 10


def test_a_changed_config_is_refused_with_the_difference(tmp_path):
    gan, run = new()
    fit(gan, run, steps=10, out_dir=tmp_path)
    other, run = new(replace(CFG, lr_g=0.5, batch_size=16))
    with pytest.raises(CheckpointError, match=r"lr_g: 0.001 -> 0.5") as caught:
        fit(other, run, out_dir=tmp_path, resume=True)
    assert "batch_size: 32 -> 16" in str(caught.value)
    other, run = new(seed=9)
    with pytest.raises(CheckpointError, match=r"seed: 0 -> 9"):
        fit(other, run, out_dir=tmp_path, resume=True)
    other, run = new()
    with pytest.raises(CheckpointError, match=r"data: ring -> grid"):
        train(other, vanilla.train_step, grid(), run, out_dir=tmp_path, resume=True, quiet=True)


def test_a_longer_run_may_go_on_where_no_schedule_depends_on_the_length(tmp_path):
    gan, run = new()
    fit(gan, run, out_dir=tmp_path)
    longer, run = new(replace(CFG, steps=40))
    fit(longer, run, out_dir=tmp_path, resume=True)
    assert longer.step == 40

    annealed = replace(CFG, optimizer="sgd", lr_g=0.01, lr_d=0.01)
    gan, run = new(annealed)
    fit(gan, run, out_dir=tmp_path / "sgd")
    longer, run = new(replace(annealed, steps=40))
    fit(longer, run, out_dir=tmp_path / "sgd", resume=True)
    assert longer.step == 40


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    gan, run = new()
    fit(gan, run, out_dir=tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    gan, run = new()
    with pytest.raises(CheckpointError, match="holds a run already"):
        fit(gan, run, out_dir=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    other, run = new(replace(CFG, lr_g=0.01))
    fit(other, run, steps=5)  # begun elsewhere
    with pytest.raises(CheckpointError, match="holds a run already"):
        fit(other, run, out_dir=tmp_path)


def test_records_survive_when_a_cell_is_run_again(tmp_path):
    gan, run = new()
    options = {"record": lambda gan: {}, "record_every": 5, "out_dir": tmp_path, "resume": True}
    fit(gan, run, steps=10, **options)
    history = fit(gan, run, **options)
    assert [step for step, _ in history.records] == [0, 5, 10, 15, 20, 25, 30]


def test_an_out_dir_that_cannot_be_used_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    gan, run = new()
    with pytest.raises(CheckpointError, match="cannot use"):
        fit(gan, run, out_dir=tmp_path / "file")
    assert gan.step == 0
    with pytest.raises(CheckpointError, match="needs out_dir"):
        fit(gan, run, resume=True)


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, monkeypatch):
    gan, run = new()
    fit(gan, run, steps=10, out_dir=tmp_path)
    old = (tmp_path / "checkpoint.safetensors").read_bytes()

    real = os.fsync

    def full(descriptor):
        if gan.step < 15:
            return real(descriptor)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CourseError, match="disk is full"):
            train(
                gan,
                vanilla.train_step,
                ring(),
                run,
                steps=20,
                quiet=True,
                out_dir=tmp_path,
                checkpoint_every=20,
            )
    assert gan.step > 10
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == old
    fit(gan, run, out_dir=tmp_path)
    whole, run = new()
    fit(whole, run)
    assert same(weights(whole), weights(gan))


def test_out_of_memory_says_what_to_change():
    gan, run = new()

    def step(gan, batch, run):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(CourseError, match=r"batches of 32.*smaller batch_size.*2 GiB"):
        fit(gan, run, step)


@pytest.mark.parametrize("option", ["steps", "log_every", "sample_every", "checkpoint_every"])
def test_a_count_that_makes_no_sense_is_refused(option):
    gan, run = new()
    with pytest.raises(CourseError, match=rf"{option} must be a whole number"):
        fit(gan, run, **{option: -1})


def test_the_loop_reads_no_loss_between_log_steps(monkeypatch):
    """Whatever brings a loss to the host would make a GPU wait in each step."""
    gan, run = new()
    read_at = set()

    def watch(name):
        real = getattr(torch.Tensor, name)

        def watched(tensor, *args, **kwargs):
            read_at.add(gan.step)
            return real(tensor, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, watched)

    for name in ("cpu", "item", "tolist", "numpy", "__float__", "__bool__"):
        watch(name)
    train(gan, vanilla.train_step, ring(), run, quiet=True, log_every=10, checkpoint_every=1000)
    assert read_at <= {0, 10, 20, 30} and 10 in read_at
