"""Several processes that train one GAN: on the CPU, over gloo."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace

import pytest
import together
import torch
from click.testing import CliRunner
from killed_run import data_for

from gancourse import gans
from gancourse.cli import main
from gancourse.data.mixtures import ring
from gancourse.errors import CourseError
from gancourse.files import streams
from gancourse.gans import vanilla
from gancourse.training import guards, parallel, runtime

# Each process has its own pools of earlier fakes. The step updates each network, and only once.
CHANGES = {
    "cyclegan": {"pool_size": 0},
    "instagan": {"pool_size": 0, "ins_per": 4},
    "stargan": {"n_critic": 1},
    "wgan": {"n_critic": 1},
    "wgan_gp": {"n_critic": 1},
}
# Their losses are no means over the rows of a batch: see docs/scale.md.
NOT_MEANS = {"lostgan", "sgan"}
MEANS = sorted({*gans.names()} - NOT_MEANS)


def alike(name):
    return name, data_for(name), {"batch_size": 8} | CHANGES.get(name, {})


@pytest.fixture(scope="module")
def ends():
    """What each of two processes holds after a few steps of every GAN."""
    jobs = {
        f"any-{name}": (together.train, (name, data_for(name), 2, {"batch_size": 4}))
        for name in gans.names()
    }
    jobs |= {f"alike-{name}": (together.train_alike, alike(name)) for name in MEANS}
    return together.weights_after(jobs)


def networks(state):
    """Return the tensors of the networks, by name."""
    return {
        f"{part}.{name}": tensor
        for part, tensors in state.items()
        if part.startswith("net")
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize("name", MEANS)
def test_two_processes_have_the_gradients_of_the_whole_batch(ends, name):
    alone = gradients(together.train_alike(*alike(name), "cpu"))
    for state in ends:
        found = gradients(state[f"alike-{name}"])
        assert found.keys() == alone.keys() and len(alone) > 1
        for optimizer, whole in alone.items():
            away = (found[optimizer] - whole).norm() / whole.norm()
            assert away < 1e-4, optimizer


def gradients(state):
    """Return the first gradients of each optimizer: the momenta after a step of SGD."""
    return {
        part: torch.cat([s["momentum_buffer"].flatten() for s in value["state"].values()])
        for part, value in state.items()
        if part.startswith("opt")
    }


@pytest.mark.parametrize("name", gans.names())
def test_weights_stay_equal_in_all_processes(ends, name):
    first, second = (state[f"any-{name}"] for state in ends)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    for key, tensor in networks(first).items():
        if not key.endswith(buffers):  # each process has the statistics of its own rows
            assert torch.equal(tensor, networks(second)[key]), key


def test_noise_differs_between_processes():
    drawn = []
    for process in (0, 1, 2):
        run = runtime.Run(device=torch.device("cpu"), process=process, processes=3)
        runtime.seed_everything(0)
        runtime.seed_process(run, 5)
        drawn.append(torch.rand(4))
    assert not torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[1], drawn[2])


def test_each_row_of_a_batch_goes_to_one_process():
    batch = {"real": torch.arange(12), "labels": torch.arange(12) * 2}
    runs = [runtime.Run(device=torch.device("cpu"), process=n, processes=3) for n in range(3)]
    parts = [{name: run.share(rows) for name, rows in batch.items()} for run in runs]
    assert sorted(torch.cat([part["real"] for part in parts]).tolist()) == list(range(12))
    assert all(torch.equal(part["labels"], part["real"] * 2) for part in parts)


def test_a_batch_that_cannot_be_divided_is_refused():
    run = runtime.Run(device=torch.device("cpu"), processes=3)
    with pytest.raises(CourseError, match="multiple of 3"):
        parallel.check_batch_size(16, run)


def test_data_that_give_every_process_the_whole_batch_are_refused():
    run = runtime.Run(device=torch.device("cpu"), processes=2)
    cfg = vanilla.configure("smoke", ring().fields)

    class Whole:
        def batch(self, step, size, run):
            return {"real": torch.zeros(size, 2)}

    gan = vanilla.build(cfg, replace(run, processes=1))
    guards.check_first_batch(gan, ring(), run)
    with pytest.raises(CourseError, match=r"run\.share"):
        guards.check_first_batch(gan, Whole(), run)


TOLD = {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def told(monkeypatch):
    """Set what torchrun tells a process, with changes; None removes a variable."""

    def tell(**changes):
        for name in (*TOLD, "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (TOLD | changes).items():
            if value is not None:
                monkeypatch.setenv(name, value)

    return tell


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("WORLD_SIZE", ["abc", "", "0", "-2", "2.0", "9" * 5_000]),
        ("RANK", ["x", "", "-1", "2"]),
        ("LOCAL_RANK", ["x", "-1", "2"]),
        ("MASTER_ADDR", [None, ""]),
        ("MASTER_PORT", [None, "http", "0", "70000"]),
        ("TORCHELASTIC_RESTART_COUNT", ["x", "-1"]),
    ],
)
def test_an_environment_that_makes_no_sense_is_told(told, name, values):
    for value in values:
        told(**{name: value})
        with pytest.raises(CourseError, match=rf"variable {name} is .*torchrun") as refused:
            parallel.restarted()
        assert len(str(refused.value)) < 400
        with pytest.raises(CourseError, match=name), parallel.together("cpu"):
            pass


@pytest.mark.parametrize("changes", [{"RANK": None}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": None}])
def test_a_process_that_is_not_one_of_several_joins_nobody(told, changes):
    told(**{"MASTER_ADDR": None} | changes)
    assert not parallel.restarted()
    with parallel.together("auto") as device:
        assert device == "auto" and parallel.place_in_group() == (0, 1)


@pytest.mark.parametrize("name", ["no.such.name.invalid", "a" * 70 + ".invalid", "-"])
def test_a_name_without_an_address_is_told_at_once(told, name):
    told(MASTER_ADDR=name)
    with pytest.raises(CourseError, match="does not find the others"), parallel.together("cpu"):
        pass


def test_a_process_that_waits_for_the_others_says_so(told, capsys, monkeypatch):
    said = threading.Event()

    def slow(*arguments, **named):
        assert said.wait(60)
        raise RuntimeError("no answer")

    def say(text, err):
        streams.say(text, err)
        said.set()

    monkeypatch.setattr(parallel, "PATIENCE", 0)
    monkeypatch.setattr(parallel, "say", say)
    monkeypatch.setattr(parallel.dist, "TCPStore", slow)
    told()
    with pytest.raises(CourseError, match="no answer"), parallel.together("cpu"):
        pass
    assert "process 1 of 2 waits for the others at 127.0.0.1:29500" in capsys.readouterr().err


def test_an_address_in_use_is_told(told):
    with socket.create_server(("127.0.0.1", 0)) as other:
        told(RANK="0", MASTER_PORT=str(other.getsockname()[1]))
        with pytest.raises(CourseError, match="--master-port"), parallel.together("cpu"):
            pass


def test_a_training_is_refused_before_the_data_are_read(told, monkeypatch, tmp_path):
    told(RANK="x")
    monkeypatch.setattr("gancourse.runs.prepare", None)
    command = ["train", "vanilla", "--data", "ring", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2 and "RANK is 'x'" in result.stderr
    assert not (tmp_path / "run").exists()


def test_more_processes_than_cuda_devices_are_refused(told, monkeypatch):
    told(LOCAL_RANK="1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(CourseError, match="nproc-per-node"), parallel.together("cuda"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="torchrun needs libuv on Windows")
def test_a_killed_process_is_started_again_and_goes_on(tmp_path):
    script = tmp_path / "killed_once.py"
    script.write_text(
        textwrap.dedent("""
        import os, signal
        from gancourse.cli import main
        from gancourse.data.mixtures import Mixture

        batch = Mixture.batch

        def killed_at_25(self, step, size, run):
            if step == 25 and run.process == 1 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
                os.kill(os.getpid(), signal.SIGKILL)
            return batch(self, step, size, run)

        Mixture.batch = killed_at_25
        main()
        """),
        encoding="utf-8",
    )
    out = tmp_path / "run"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--standalone", "--max-restarts", "3", script, "train", "vanilla"),
            *("--data", "ring", "--preset", "smoke", "--steps", "40", "--device", "cpu"),
            *("--out", out),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})
    assert rows[-1]["step"] == 40
    begun = [line for line in done.stdout.splitlines() if line.startswith("step ")]
    assert begun.count(begun[0]) == 1, "the second start went on and did not begin anew"
    assert (out / "generator.safetensors").is_file()
    assert not list(out.glob(".*.part"))
