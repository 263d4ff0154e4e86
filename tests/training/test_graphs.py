"""Steps that are replayed do what the steps themselves do."""

import sys
from pathlib import Path

import pytest
import torch

from gancourse import gans, trained
from gancourse.training import graphs, runtime
from gancourse.training.gan import GAN

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gans"))
from contract import batch_for


class Again:
    """Stands for a graph where there is no GPU: it calls the step again."""

    made = 0

    def __init__(self, step, gan, batch, run, inputs):
        Again.made += 1
        self.arguments = step, gan, run

    def replay(self, batch):
        step, gan, run = self.arguments
        return step(gan, batch, run)


@pytest.fixture(autouse=True)
def none_made():
    Again.made = 0


def losses_of(module, device, steps, wrap, **options):
    """Return the losses of the first steps, and the step function that made them."""
    run = runtime.start(device, 0, **options)
    cfg = module.PRESETS["smoke"]
    gan = module.build(cfg, run, **trained.frozen_for(module, run.device, cfg))
    step = wrap(gans.step_function(module, cfg)[0], gan, run)
    torch.manual_seed(1)
    found = []
    for _ in range(steps):
        batch = {key: rows.to(run.device) for key, rows in batch_for(module, cfg, 4).items()}
        found.append({tag: loss.item() for tag, loss in step(gan, batch, run).items()})
        gan.step += 1
    return found, step


def plain(step, gan, run):
    return step


@pytest.mark.parametrize("name", gans.names())
def test_what_is_recorded_and_what_is_not_gives_the_same_losses(name):
    def wrap(step, gan, run):
        return graphs.Replayed(step, gan, run, record=Again)

    module = gans.find(name)
    ours, step = losses_of(module, "cpu", 20, wrap)
    assert ours == losses_of(module, "cpu", 20, plain)[0]
    assert 1 <= Again.made <= 3 and step.problem is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", gans.names())
def test_a_cuda_graph_gives_the_losses_of_its_step(name, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    module = gans.find(name)
    ours, step = losses_of(module, "cuda", 24, graphs.replayed)
    assert step.problem is None and step.graphs
    wanted, _ = losses_of(module, "cuda", 24, plain, graphs=False)
    for mine, other in list(zip(ours, wanted, strict=True))[:8]:
        # Some kernels of PyTorch add up in a changing order: those that scatter, for instance.
        assert mine == pytest.approx(other, rel=0.1, abs=0.05)


class Counted(GAN):
    """A GAN of one number, which each step changes."""

    def __init__(self):
        super().__init__(None, ())
        self.x, self.calls = torch.zeros(()), []

    def replayed(self, step):
        run = runtime.start("cpu", 0)
        return graphs.Replayed(step, self, run, record=Again)


def go(gan, step, steps, batch=None):
    function = gan.replayed(step)
    for _ in range(steps):
        function(gan, batch or {}, None)
        gan.step += 1
    return function


def test_each_outcome_of_what_is_asked_about_the_step_has_a_graph():
    def step(gan, batch, run):
        gan.x += 1
        if (gan.step + 1) % 5 == 0 or gan.step < 3:
            gan.x += 10
        return {}

    gan = Counted()
    function = go(gan, step, 40)
    assert gan.x == 40 + 10 * (8 + 3) and len(function.graphs) == 3


def test_what_depends_on_the_number_of_the_step_itself_is_never_recorded():
    for use in (float, int, str, hash, lambda s: s / 2, lambda s: 1.0 * s, lambda s: 7 % (s + 1)):

        def step(gan, batch, run, use=use):
            gan.x += 1
            use(gan.step)
            return {}

        go(Counted(), step, 12)
        assert Again.made == 0


def test_a_step_that_counts_in_python_or_makes_new_tensors_is_never_recorded():
    def counts(gan, batch, run):
        gan.seen = getattr(gan, "seen", 0) + 1
        return {}

    def makes(gan, batch, run):
        gan.x = gan.x + 1
        return {}

    kept = []
    for step in (counts, makes):
        gan = Counted()
        kept.append(gan.x)  # a new tensor must not get the memory of the first
        go(gan, step, 12)
        assert Again.made == 0


def test_another_shape_has_a_graph_of_its_own():
    gan = Counted()
    function = gan.replayed(lambda gan, batch, run: {})
    for n in (4, 2, 4, 2, 4, 2):
        function(gan, {"real": torch.zeros(n, 3)}, None)
        gan.step += 1
    assert len(function.graphs) == 2


@pytest.mark.filterwarnings("default:no CUDA graph")
def test_what_cannot_be_recorded_is_made_as_ever_and_said_once():
    class Refused:
        def __init__(self, step, gan, batch, run, inputs):
            step(gan, batch, run)
            raise RuntimeError("no\nsecond line")

    net = torch.nn.Linear(2, 2)

    def step(gan, batch, run):
        gan.net.requires_grad_(False)
        return {"x": torch.zeros(())}

    gan = Counted()
    gan.net = net
    function = graphs.Replayed(step, gan, runtime.start("cpu", 0), record=Refused)
    function(gan, {}, None)
    gan.net.requires_grad_(True)
    with pytest.warns(UserWarning, match="no CUDA graph of a step: no$"):
        function(gan, {}, None)
    assert function.problem == "no"
    assert function(gan, {}, None).keys() == {"x"}


def test_step_sizes_are_read_from_the_device_and_schedules_wait():
    net = torch.nn.Linear(2, 2)
    gan = Counted()
    gan.opt = torch.optim.Adam(net.parameters(), lr=0.5, fused=True)
    gan.schedule = torch.optim.lr_scheduler.ExponentialLR(gan.opt, 0.5)
    rates, late = [], []
    with graphs.postponed(gan, late), graphs.on_device(gan, rates, late):
        assert isinstance(gan.opt.param_groups[0]["lr"], torch.Tensor)
        gan.schedule.step()
    assert gan.opt.param_groups[0]["lr"] == 0.5 and not gan.opt.param_groups[0]["capturable"]
    gan.opt.step()
    late[0]()
    assert gan.opt.param_groups[0]["lr"] == 0.25 and rates[0].value == 0.5
    rates[0].refresh()
    assert rates[0].value == 0.25


def test_an_optimizer_that_counts_on_the_cpu_goes_on_counting():
    net = torch.nn.Linear(2, 2)
    gan = Counted()
    gan.opt = torch.optim.RMSprop(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    gan.opt.step()
    late = []
    with graphs.on_device(gan, [], late):
        assert gan.opt.param_groups[0]["capturable"]
    assert [int(state["step"]) for state in gan.opt.state.values()] == [1, 1]
    graphs.counting([state["step"] for state in gan.opt.state.values()], late)()
    late[0]()
    assert [int(state["step"]) for state in gan.opt.state.values()] == [2, 2]


def test_only_runs_on_cuda_with_fitting_optimizers_are_replayed():
    module = gans.find("vanilla")
    for preset, wanted in (("smoke", True), ("paper", False)):  # the paper has SGD
        gan = module.build(module.PRESETS[preset], runtime.start("cpu", 0))
        assert all(map(graphs.can_be_recorded, graphs.optimizers_of(gan))) is wanted
    run = runtime.start("cpu", 0)
    assert not run.graphs and graphs.replayed(module.train_step, gan, run) is module.train_step
