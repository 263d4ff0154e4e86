"""What every GAN file keeps, whatever its paper: one function a promise, called with the module.

The functions know what the file declares, and nothing else of it.
"""

import ast
import dataclasses
import inspect
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from gancourse import fields, gans
from gancourse.errors import CourseError
from gancourse.files import statefile
from gancourse.files.weights import shapes_only
from gancourse.gans import blocks
from gancourse.trained import frozen_for, trial
from gancourse.training import checkpoint, runtime, train
from gancourse.training.gan import GAN
from tools.lint import code_lines

PRESETS = ("smoke", "laptop", "paper")
PROMISES = []


def promise(function):
    PROMISES.append(function)
    return function


# Helpers: all that the declarations say about how to drive a GAN.


def smallest(module, **options):
    run = runtime.start("cpu", 0, **options)
    cfg = module.PRESETS["smoke"]
    return module.build(cfg, run, **frozen_for(module)), run, batch_for(module, cfg)


def batch_for(module, cfg, n=8):
    taken = {name: field for name, field in module.inputs(cfg).items() if name in module.TAKES}
    return fields.example(taken, n, torch.Generator().manual_seed(1))


def given_for(module, cfg, names, n=8, seed=2):
    known = {name: field for name, field in module.inputs(cfg).items() if name in names}
    return fields.example(known, n, torch.Generator().manual_seed(seed))


def steps(module, gan, batch, run):
    """Every stage, each until all of its players have moved; yields the losses of each step."""
    for name in module.STAGES:
        before = weights(module, gan)
        movable = {*module.PLAYERS}
        for gan.step in range(gan.step, gan.step + 20):  # noqa: B020 - the step is the counter
            yield getattr(module, name)(gan, batch, run)
            after = weights(module, gan)
            moved = {player for player in movable if changed(before[player], after[player])}
            if moved == movable:
                break


def tensors(answer):
    """Return the tensors of an answer: of one tensor, or of nested lists of them."""
    if isinstance(answer, torch.Tensor):
        return [answer]
    return [tensor for part in answer for tensor in tensors(part)]


def stopping(step, at):
    """Return a step function in whose step number ``at`` the stop button is pressed."""

    def pressed(gan, batch, run):
        if gan.step == at - 1:
            signal.raise_signal(signal.SIGINT)
        return step(gan, batch, run)

    return pressed


class MadeUpData:
    """Made-up rows, others in each step."""

    name = "made up"

    def __init__(self, module, cfg):
        known = module.inputs(cfg)
        self.fields = {name: field for name, field in known.items() if name in module.TAKES}

    def batch(self, step, size, run):
        return fields.example(self.fields, size, run.generator(step), run.device)


def trained(module, plan, folder=None, stop=None, steps=None, **changes):
    """Train for ``plan`` steps in each stage; return the GAN and its history."""
    run = runtime.start("cpu", 3)
    counts = dict.fromkeys(module.STAGES.values(), plan)
    cfg = dataclasses.replace(module.PRESETS["smoke"], **counts, **changes)
    gan = module.build(cfg, run, **frozen_for(module))
    step, total = gans.step_function(module, cfg)
    held = stopping(step, stop or 0)
    held.steps = total
    options = {"steps": steps or total, "out_dir": folder, "resume": folder is not None}
    options |= {"log_every": 3, "record": lambda gan: (gan.step, torch.rand(1)), "quiet": True}
    return gan, train(gan, held, MadeUpData(module, cfg), run, **options)


def networks_of(module, gan, player):
    return {name: getattr(gan, name) for name in module.PLAYERS[player]}


def weights(module, gan):
    return {
        player: {
            f"{name}.{key}": p.detach().clone()
            for name, net in networks_of(module, gan, player).items()
            for key, p in net.named_parameters()
        }
        for player in module.PLAYERS
    }


def changed(before, after):
    return any(not torch.equal(before[name], after[name]) for name in before)


def optimizer(gan, player):
    return getattr(gan, f"opt_{player.lower()}")


# The file


@promise
def the_file_is_in_the_agreed_order(module):
    source = Path(module.__file__).read_text(encoding="utf-8")
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    order = ["TAKES", "SAMPLES", "PLAYERS", "PUBLISHED", "STAGES", "Config", "PRESETS"]
    order += ["inputs", "configure", "networks", "build", *module.STAGES, "sample"]
    assert [name for name in names if name in order] == order
    assert "arXiv" in module.__doc__
    assert code_lines(source) <= 350


@promise
def it_imports_no_other_gan(module):
    source = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom)}
    assert not imported & {f"gancourse.gans.{name}" for name in gans.names()}


@promise
def the_config_is_frozen_keyword_only_and_commented(module):
    known = dataclasses.fields(module.Config)
    assert all(field.kw_only for field in known)
    with pytest.raises(dataclasses.FrozenInstanceError):
        module.Config().steps = 1
    lines = inspect.getsource(module.Config).splitlines()
    for field in known:
        line = next(line for line in lines if line.strip().startswith(f"{field.name}:"))
        assert "  # " in line, f"{field.name} has no comment"
    checkpoint.describe(module.Config())


@promise
def the_presets_are_complete_and_paper_is_the_default(module):
    assert tuple(module.PRESETS) == PRESETS
    assert module.PRESETS["paper"] == module.Config()
    assert module.PRESETS["smoke"].steps < module.PRESETS["laptop"].steps


# The declarations


@promise
def the_declarations_agree_with_each_other(module):
    for preset in PRESETS:
        cfg = module.PRESETS[preset]
        inputs = module.inputs(cfg)
        assert all(isinstance(inputs[name], kind) for name, kind in module.TAKES.items())
        given = {name for names in module.SAMPLES.values() for name in names} - {"z"}
        assert given <= inputs.keys() and module.SAMPLES.keys() <= inputs.keys()
        with shapes_only():
            networks = module.networks(cfg)
        moved = [name for names in module.PLAYERS.values() for name in names]
        assert len({*moved}) == len(moved) and {*moved} <= networks.keys()
        assert {*module.PUBLISHED} <= networks.keys()
        assert all(hasattr(cfg, field) for field in module.STAGES.values())
        assert all(sum(p.numel() for p in net.parameters()) > 0 for net in networks.values())


@promise
def a_config_is_fitted_to_its_own_fields_without_a_change(module):
    for preset in PRESETS:
        cfg = module.PRESETS[preset]
        assert module.configure(preset, module.inputs(cfg)) == cfg


@promise
def a_config_follows_the_data(module):
    """Other channels, classes, sets of labels: whatever the fields say comes back from inputs."""
    cfg = module.PRESETS["smoke"]
    other = {}
    for name, field in module.inputs(cfg).items():
        if isinstance(field, fields.Pictures):
            field = dataclasses.replace(field, shape=(1, *field.shape[1:]))
        elif isinstance(field, fields.Classes) and name != "source":
            field = fields.Classes(count=3)
        other[name] = field
    cfg = module.configure("smoke", other)
    assert all(field.fits(other[name]) for name, field in module.inputs(cfg).items())
    gan = module.build(cfg, runtime.start("cpu", 0), **frozen_for(module))
    losses = next(steps(module, gan, batch_for(module, cfg), runtime.start("cpu", 0)))
    assert all(value.isfinite() for value in losses.values())


# The step


@promise
def every_network_has_one_optimizer(module):
    gan, _, _ = smallest(module)
    for player in module.PLAYERS:
        held = {id(p) for group in optimizer(gan, player).param_groups for p in group["params"]}
        own = networks_of(module, gan, player).values()
        assert held == {id(p) for net in own for p in net.parameters()}


@promise
def each_player_changes_itself_alone(module):
    for mover in module.PLAYERS:
        (gan, run, batch), turns = smallest(module), set()
        for player in module.PLAYERS:
            take = lambda *_, add=turns.add, player=player: add(player)  # noqa: E731
            if player == mover:
                optimizer(gan, player).register_step_post_hook(take)
            else:
                optimizer(gan, player).step = take
        before = weights(module, gan)
        for _ in steps(module, gan, batch, run):
            if turns == {*module.PLAYERS}:
                break
        after = weights(module, gan)
        moved = {player for player in module.PLAYERS if changed(before[player], after[player])}
        assert moved == {mover}


@promise
def no_gradient_leaks_from_one_update_into_another(module):
    """When a player is updated, the others' gradients are none, or those of their own update."""
    gan, run, batch = smallest(module)
    own = dict.fromkeys(module.PLAYERS)  # a player's gradients at its own last update
    leaks = []

    def gradients(player):
        nets = networks_of(module, gan, player).values()
        return [None if p.grad is None else p.grad.clone() for n in nets for p in n.parameters()]

    def watch(player):
        def before_its_step(*_):
            own[player] = gradients(player)
            for other in module.PLAYERS:
                for i, grad in enumerate(gradients(other) if other != player else ()):
                    if grad is not None and (own[other] is None or not grad.equal(own[other][i])):
                        leaks.append(f"{other}'s weight {i} while {player} is updated")

        optimizer(gan, player).register_step_pre_hook(before_its_step)

    for player in module.PLAYERS:
        watch(player)
    for _ in steps(module, gan, batch, run):
        pass
    assert all(own.values()) and not leaks


@promise
def every_weight_gets_a_gradient(module):
    """A bias may get a gradient of 0: that at the end of a WGAN's critic always does."""
    gan, run, batch = smallest(module)
    reached = set()

    def note(player):
        for name, net in networks_of(module, gan, player).items():
            for key, p in net.named_parameters():
                if p.grad is not None and (p.ndim < 2 or p.grad.abs().sum() > 0):
                    reached.add(f"{name}.{key}")

    for player in module.PLAYERS:
        optimizer(gan, player).register_step_pre_hook(lambda *_, player=player: note(player))
    for _ in steps(module, gan, batch, run):
        pass
    for player in module.PLAYERS:
        for name, net in networks_of(module, gan, player).items():
            for key, weight in net.named_parameters():
                assert f"{name}.{key}" in reached
                assert weight.requires_grad


@promise
def a_step_returns_detached_finite_scalars(module):
    gan, run, batch = smallest(module)
    seen = set()
    for losses in steps(module, gan, batch, run):
        for tag, value in losses.items():
            assert value.shape == () and not value.requires_grad and value.isfinite(), tag
            assert "/" in tag
        seen |= losses.keys()
    assert {"D/adv", "G/adv"} <= seen


@promise
def bf16_trains_too(module):
    gan, run, batch = smallest(module, precision="bf16")
    for losses in steps(module, gan, batch, run):
        assert all(value.isfinite() for value in losses.values())


# Samples


@promise
def samples_have_the_form_of_what_they_imitate_and_are_repeatable(module):
    gan, _, _ = smallest(module)
    for made, names in module.SAMPLES.items():
        given = given_for(module, gan.cfg, names)
        kept = {name: value.clone() for name, value in given.items()}
        first = module.sample(gan, 8, seed=1, **given)
        wanted = module.inputs(gan.cfg)[made]
        assert first.shape == (8, *wanted.shape) and first.dtype == torch.float32
        wanted.check(made, first, 8)
        assert not first.requires_grad
        assert torch.equal(first, module.sample(gan, 8, seed=1, **given))
        assert all(torch.equal(value, kept[name]) for name, value in given.items())


@promise
def samples_depend_on_everything_that_is_given(module):
    gan, _, _ = smallest(module)
    for names in module.SAMPLES.values():
        given = given_for(module, gan.cfg, names)
        first = module.sample(gan, 8, seed=1, **given)
        if "z" in names:
            assert not torch.equal(first, module.sample(gan, 8, seed=2, **given))
        for name, other in given_for(module, gan.cfg, names, seed=3).items():
            assert not torch.equal(first, module.sample(gan, 8, seed=1, **given | {name: other}))


@promise
def rows_do_not_see_each_other(module):
    """A sample is that of its own row: in another order, and alone."""
    gan, _, _ = smallest(module)
    for names in module.SAMPLES.values():
        given = given_for(module, gan.cfg, names)
        if "z" in names:
            given["z"] = module.draw_z(gan.cfg, 8, torch.Generator().manual_seed(4))
        together = module.sample(gan, 8, seed=1, **given)
        turned = {name: value.flip(0) for name, value in given.items()}
        other_order = module.sample(gan, 8, seed=1, **turned).flip(0)
        alone = [
            module.sample(gan, 1, seed=1, **{n: value[i : i + 1] for n, value in given.items()})
            for i in range(8)
        ]
        torch.testing.assert_close(other_order, together, rtol=0, atol=1e-4)
        torch.testing.assert_close(torch.cat(alone), together, rtol=0, atol=1e-4)


@promise
def the_first_samples_do_not_depend_on_how_many_follow(module):
    gan, _, _ = smallest(module)
    for names in module.SAMPLES.values():
        given = given_for(module, gan.cfg, names, 21)
        all_21 = module.sample(gan, 21, seed=3, **given)
        for n in (1, 5, 16, 17):
            first = module.sample(gan, n, seed=3, **{m: v[:n] for m, v in given.items()})
            torch.testing.assert_close(first, all_21[:n], rtol=0, atol=1e-4)


@promise
def samples_can_be_planned_without_numbers(module):
    """Shapes and sizes are known before the weights are: on the meta device."""
    for preset in PRESETS:
        cfg = module.PRESETS[preset]
        with shapes_only():
            networks = module.networks(cfg)
        published = {name: networks[name] for name in module.PUBLISHED}
        gan = GAN(cfg, module.PUBLISHED, **frozen_for(module, "meta"), **published)
        assert trial.samples_at_once(gan, module, "a file") >= 1


@promise
def z_has_the_shape_that_the_config_says(module):
    if not any("z" in names for names in module.SAMPLES.values()):
        return
    gan, _, _ = smallest(module)
    names = next(names for names in module.SAMPLES.values() if "z" in names)
    z = module.draw_z(gan.cfg, 6, torch.Generator().manual_seed(1), "cpu")
    assert z.shape == (6, gan.cfg.latent_dim) and z.dtype == torch.float32
    assert torch.equal(z, module.draw_z(gan.cfg, 6, torch.Generator().manual_seed(1), "cpu"))
    z = blocks.draw_rows(module.draw_z, gan.cfg, 6, 1)
    given = given_for(module, gan.cfg, names, 6)
    by_z, by_seed = (module.sample(gan, 6, **given, **one) for one in ({"z": z}, {"seed": 1}))
    assert torch.equal(by_z, by_seed)


@promise
def what_has_a_default_may_be_left_out(module):
    gan, _, _ = smallest(module)
    for names in module.SAMPLES.values():
        given = given_for(module, gan.cfg, names)
        for name in given:
            default = module.inputs(gan.cfg)[name].default(8)
            if default is not None:
                rest = {other: value for other, value in given.items() if other != name}
                first = module.sample(gan, 8, seed=4, **rest)
                assert torch.equal(first, module.sample(gan, 8, seed=4, **rest, **{name: default}))


@promise
def sampling_changes_nothing(module):
    gan, _, _ = smallest(module)
    parts = {n: p for n, p in gan.parts().items() if isinstance(p, torch.nn.Module)}

    def state():
        return {f"{n}.{k}": v.clone() for n, p in parts.items() for k, v in p.state_dict().items()}

    before, random = state(), torch.get_rng_state()
    modes = [part.training for part in parts.values()]
    for names in module.SAMPLES.values():
        module.sample(gan, 8, **given_for(module, gan.cfg, names))
    after = state()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(random, torch.get_rng_state())
    assert modes == [part.training for part in parts.values()]


# A run


def state_of(gan):
    return statefile.flatten({name: part.state_dict() for name, part in gan.parts().items()})


def assert_same(gan, other):
    (tree, tensors), (other_tree, others) = state_of(gan), state_of(other)
    assert tree == other_tree
    assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())


@promise
def a_run_that_was_stopped_ends_bit_for_bit_like_a_whole_one(module):
    with TemporaryDirectory() as place:
        whole, history = trained(module, 4, Path(place) / "whole")
        trained(module, 4, Path(place) / "parts", stop=2)
        parts, resumed = trained(module, 4, Path(place) / "parts")
    assert_same(whole, parts)
    assert resumed.steps == history.steps and resumed.values == history.values
    assert resumed.records == history.records


@promise
def the_number_of_steps_reaches_the_schedules(module):
    """A run that is told to be longer moves its weights to its end, or is refused."""
    short, _ = trained(module, 3)
    try:
        other, _ = trained(module, 3, steps=9 * len(module.STAGES))
    except CourseError as refusal:
        assert "Build it with" in str(refusal)
        other, _ = trained(module, 9)
    assert changed(weights_of(short), weights_of(other))


@promise
def d_can_tell_pale_pictures(module):
    """Without biases and norms D(c x) = c D(x), and nothing teaches G the contrast of the data."""
    plain = {"r1": 1.0, "d_norm": False, "r1_every": 1}
    cfg, run = module.PRESETS["smoke"], runtime.start("cpu", 0)
    changes = {name: value for name, value in plain.items() if hasattr(cfg, name)}
    cfg, inputs = dataclasses.replace(cfg, **changes), {}
    gan = module.build(cfg, run, **frozen_for(module))
    nets = networks_of(module, gan, "D")
    for name, net in nets.items():
        net.register_forward_pre_hook(
            lambda _, given, name=name: inputs.update({name: [x.detach() for x in given]})
        )
    for _ in steps(module, gan, batch_for(module, cfg), run):
        pass
    for name, given in list(inputs.items()):
        net = nets[name].eval()
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.1)
        answers = []
        for scale in (0, 1, 2):
            with torch.no_grad():
                told = net(*(scale * x if x.is_floating_point() else x for x in given))
            answers.append(torch.cat([t.flatten() for t in tensors(told)]))
        none, once, twice = answers
        bent = (twice - none) - 2 * (once - none)  # 0 if the answer is linear in the contrast
        assert bent.abs().max() > 1e-3 * (twice - none).abs().max(), name


@promise
def step_sizes_that_decay_are_divided_after_each_step(module):
    cfg, run = module.PRESETS["smoke"], runtime.start("cpu", 0)
    if not hasattr(cfg, "lr_decay"):
        return
    cfg = dataclasses.replace(cfg, lr_decay=2.0)
    gan = module.build(cfg, run, **frozen_for(module))
    for _ in range(3):
        module.train_step(gan, batch_for(module, cfg), run)
    rates = [opt.param_groups[0]["lr"] for opt in (gan.opt_g, gan.opt_d)]
    assert rates == pytest.approx([cfg.lr_g / 8, cfg.lr_d / 8])


@promise
def a_network_is_not_compiled_if_its_gradient_is_differentiated(module):
    """torch.compile has no second derivatives."""
    cfg, compiled, twice = module.PRESETS["smoke"], set(), []
    if hasattr(cfg, "r1"):
        cfg = dataclasses.replace(cfg, r1=1.0)
    run, gradient = runtime.start("cpu", 0, compile=True), torch.autograd.grad

    def spy(*args, create_graph=False, **options):
        twice.append(create_graph)
        return gradient(*args, create_graph=create_graph, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "compile", lambda net: compiled.add(net))
        patch.setattr(torch.autograd, "grad", spy)
        gan = module.build(cfg, run, **frozen_for(module))
        for stage in module.STAGES:
            getattr(module, stage)(gan, batch_for(module, cfg), run)
    assert compiled, "no network is compiled"
    if any(twice):
        assert not compiled.intersection(networks_of(module, gan, "D").values())


@promise
def padded_pictures_are_averaged_in_nchw_order(module):
    """In NHWC order CUDA's gradient of avg_pool2d with padding is wrong: pytorch/pytorch#188344."""
    cfg, run = module.PRESETS["smoke"], runtime.start("cpu", 0, channels_last=True)
    pool, padded = torch.nn.functional.avg_pool2d, []

    def spy(x, kernel_size, stride=None, padding=0, *args, **options):
        if padding:
            padded.append(x.is_contiguous())
        return pool(x, kernel_size, stride, padding, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "avg_pool2d", spy)
        gan = module.build(cfg, run, **frozen_for(module))
        for stage in module.STAGES:
            getattr(module, stage)(gan, batch_for(module, cfg), run)
    assert all(padded)


def weights_of(gan):
    return dict(enumerate(state_of(gan)[1].values()))


@promise
def a_batch_of_one_is_trained_on_or_refused_before_anything_is_written(module):
    with TemporaryDirectory() as place:
        folder = Path(place) / "run"
        try:
            trained(module, 2, folder, batch_size=1)
        except CourseError as refusal:
            assert "batch" in str(refusal) and not folder.exists()
