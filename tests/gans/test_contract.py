"""What every GAN file keeps, whatever its paper: checked for each file in the folder."""

import ast
import dataclasses
import importlib
import inspect
from pathlib import Path

import pytest
import torch

import gancourse.gans
from gancourse.training import checkpoint, runtime

FOLDER = Path(gancourse.gans.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
PRESETS = ("smoke", "laptop", "paper")


def find(name):
    return importlib.import_module(f"gancourse.gans.{name}")


# Those that start from noise have draw_z; the others translate images.
FROM_NOISE = [name for name in NAMES if hasattr(find(name), "draw_z")]
TRANSLATORS = [name for name in NAMES if name not in FROM_NOISE]


def test_there_are_gans():
    assert "vanilla" in FROM_NOISE


@pytest.fixture(params=NAMES)
def module(request):
    return find(request.param)


@pytest.fixture(params=FROM_NOISE)
def from_noise(request):
    return find(request.param)


@pytest.fixture(params=TRANSLATORS)
def translator(request):
    return find(request.param)


def smallest(module):
    run = runtime.start("cpu", 0)
    gan = module.build(module.PRESETS["smoke"], run)
    return gan, run, fake_batch(module, module.PRESETS["smoke"])


def fake_batch(module, cfg, size=8):
    """Noise in the shape of the data that the config describes."""
    if hasattr(cfg, "channels_A"):
        channels = {"real_A": cfg.channels_A, "real_B": cfg.channels_B}
    else:
        channels = {"real": getattr(cfg, "image_channels", None)}
    batch = {}
    for name, c in channels.items():
        shape = getattr(cfg, "sample_shape", None) or (c, cfg.image_size, cfg.image_size)
        batch[name] = torch.rand(size, *shape) * 2 - 1
    if getattr(cfg, "num_classes", 0):
        batch["labels"] = torch.randint(cfg.num_classes, (size,))
    elif "target" in inspect.signature(module.sample).parameters:  # of the first label set
        batch["labels"] = torch.randint(2, (size, number_of_labels(module, cfg))).float()
        batch["source"] = torch.zeros(size, dtype=torch.int64)
    return batch


def number_of_labels(module, cfg):
    """As many as D's second head has outputs."""
    with torch.device("meta"):
        images = torch.zeros(1, cfg.image_channels, cfg.image_size, cfg.image_size)
        return module.Discriminator(cfg)(images)[1].shape[1]


def step(module, gan, batch, run):
    """Go on until G was updated too; return the losses of the last step."""
    for gan.step in range(getattr(gan.cfg, "n_critic", 1)):  # noqa: B020 - the step is the counter
        losses = module.train_step(gan, batch, run)
    return losses


def ways(module, gan, batch):
    """Every way to translate a batch: by its name, what ``sample`` is called with."""
    if "real" in batch:
        return {"": ((batch["real"], batch["labels"].flip(0)), {})}
    if "direction" in inspect.signature(module.sample).parameters:
        return {way: ((batch[f"real_{way[0]}"],), {"direction": way}) for way in ("AB", "BA")}
    return {"": ((batch["real_A"],), {})}


def nets(gan, letter):
    return {n: p for n, p in vars(gan).items() if n.startswith(f"net{letter}")}


def tensors(parts):
    return {f"{n}.{k}": v.clone() for n, p in parts.items() for k, v in p.state_dict().items()}


def test_the_file_is_in_the_agreed_order(module):
    source = Path(module.__file__).read_text(encoding="utf-8")
    body = ast.parse(source).body
    names = []
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names.append(node.targets[0].id)
    landmarks = ["Config", "PRESETS", "Generator", "Discriminator", "build", "train_step", "sample"]
    assert [name for name in names if name in landmarks] == landmarks
    assert "arXiv" in module.__doc__
    assert 120 <= len(source.splitlines()) <= 350


def test_no_gan_imports_another(module):
    own = module.__name__.rpartition(".")[2]
    source = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {
        node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom) and node.module
    }
    others = {f"gancourse.gans.{name}" for name in NAMES if name != own}
    assert not imported & others


def test_the_config_is_frozen_keyword_only_and_commented(module):
    fields = dataclasses.fields(module.Config)
    assert all(field.kw_only for field in fields)
    with pytest.raises(dataclasses.FrozenInstanceError):
        module.Config().steps = 1
    source = inspect.getsource(module.Config)
    for field in fields:
        line = next(
            line for line in source.splitlines() if line.strip().startswith(f"{field.name}:")
        )
        assert "  # " in line, f"{field.name} has no comment"
    checkpoint.describe(module.Config())


def test_the_presets_are_complete_and_paper_is_the_default(module):
    assert tuple(module.PRESETS) == PRESETS
    assert module.PRESETS["paper"] == module.Config()
    assert module.PRESETS["smoke"].steps < module.PRESETS["laptop"].steps


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_built(module, preset):
    """The paper's too: on the meta device, which has shapes and no memory."""
    cfg = module.PRESETS[preset]
    with torch.device("meta"):
        for part in (module.Generator(cfg), module.Discriminator(cfg)):
            assert sum(p.numel() for p in part.parameters()) > 0


def test_each_player_changes_itself_alone(module):
    for frozen, moving in (("g", "D"), ("d", "G")):
        gan, run, batch = smallest(module)
        getattr(gan, f"opt_{frozen}").step = lambda: (
            None
        )  # the other player may not move its weights
        before = tensors(nets(gan, frozen.upper()))
        moved = tensors(nets(gan, moving))
        step(module, gan, batch, run)
        after = tensors(nets(gan, frozen.upper()))
        changed = [n for n in before if not torch.equal(before[n], after[n])]
        # BatchNorm's statistics follow every forward pass; they are not weights.
        assert not [n for n in changed if "running" not in n and "num_batches" not in n]
        assert any(not torch.equal(moved[n], v) for n, v in tensors(nets(gan, moving)).items())


def test_no_gradient_leaks_from_one_update_into_the_other(module):
    """When a player is updated, the other's gradients are none, or those of its own update."""
    gan, run, batch = smallest(module)
    own = {letter: None for letter in "GD"}  # a player's gradients at its own last update
    leaks = []

    def gradients(letter):
        weights = [p for net in nets(gan, letter).values() for p in net.parameters()]
        return [None if p.grad is None else p.grad.clone() for p in weights]

    def watch(optimizer, player, other):
        real = optimizer.step

        def watched():
            own[player] = gradients(player)
            for i, grad in enumerate(gradients(other)):
                if grad is not None and (own[other] is None or not grad.equal(own[other][i])):
                    leaks.append(f"{other}'s weight {i} while {player} is updated")
            return real()

        optimizer.step = watched

    watch(gan.opt_d, "D", "G")
    watch(gan.opt_g, "G", "D")
    step(module, gan, batch, run)
    assert own["G"] and own["D"] and not leaks


def test_every_weight_gets_a_gradient(module):
    gan, run, batch = smallest(module)
    step(module, gan, batch, run)
    for letter in "GD":
        for name, net in nets(gan, letter).items():
            for key, weight in net.named_parameters():
                assert weight.grad is not None and weight.grad.abs().sum() > 0, f"{name}.{key}"
                assert weight.requires_grad


def test_the_step_returns_detached_scalars(module):
    gan, run, batch = smallest(module)
    first = module.train_step(gan, batch, run)
    losses = step(module, gan, batch, run)
    assert {"D/adv", "G/adv"} <= set(losses)
    assert list(first) == list(losses)  # a log window has one row of tags
    for tag, value in losses.items():
        assert value.shape == () and not value.requires_grad and value.isfinite(), tag
        assert "/" in tag


def test_samples_are_in_the_range_of_the_data_and_repeatable(from_noise):
    gan, _, batch = smallest(from_noise)
    first = from_noise.sample(gan, 5, seed=1)
    assert first.shape == (5, *batch["real"].shape[1:])
    if first.dim() == 4:
        assert first.min() >= -1 and first.max() <= 1
    assert torch.equal(first, from_noise.sample(gan, 5, seed=1))
    assert not torch.equal(first, from_noise.sample(gan, 5, seed=2))
    assert not first.requires_grad


def test_z_has_the_shape_that_the_config_says(from_noise):
    cfg = from_noise.PRESETS["smoke"]
    z = from_noise.draw_z(cfg, 6, torch.Generator().manual_seed(1), "cpu")
    assert z.shape == (6, cfg.latent_dim) and z.dtype == torch.float32
    assert torch.equal(z, from_noise.draw_z(cfg, 6, torch.Generator().manual_seed(1), "cpu"))
    gan, _, _ = smallest(from_noise)
    assert torch.equal(from_noise.sample(gan, 6, z=z), from_noise.sample(gan, 6, seed=1))


def test_translations_are_in_the_range_of_the_data_and_repeatable(translator):
    gan, _, batch = smallest(translator)
    for way, (given, options) in ways(translator, gan, batch).items():
        kept = [value.clone() for value in given]
        first = translator.sample(gan, *given, **options)
        side = batch[f"real_{way[1]}"] if way else batch.get("real_B", batch.get("real"))
        assert first.shape == side.shape and first.dtype == torch.float32
        assert first.min() >= -1 and first.max() <= 1
        assert not first.requires_grad
        assert torch.equal(first, translator.sample(gan, *given, **options))
        assert all(map(torch.equal, given, kept))
        others = [value.flip(0) for value in given]
        assert not torch.equal(first, translator.sample(gan, *others, **options))


@pytest.fixture
def conditional(from_noise):
    if not hasattr(from_noise.Config(), "num_classes"):
        pytest.skip("takes no classes")
    return from_noise


def test_g_is_told_the_class(conditional):
    gan, _, _ = smallest(conditional)
    z = conditional.draw_z(gan.cfg, 1).repeat(2, 1)
    zero, one = conditional.sample(gan, 2, z=z, labels=torch.tensor([0, 1]))
    assert not torch.equal(zero, one)
    labels = torch.tensor([1, 0])
    swapped = conditional.sample(gan, 2, z=z, labels=labels)
    gap = (zero - one).abs().max().item()
    torch.testing.assert_close(swapped, torch.stack([one, zero]), rtol=0, atol=gap / 100)
    assert gan.netG(z, labels).shape == (2, *zero.shape)


def test_without_labels_the_classes_come_in_turn(conditional):
    gan, _, _ = smallest(conditional)
    n = gan.cfg.num_classes + 3
    labels = torch.arange(n) % gan.cfg.num_classes
    assert torch.equal(
        conditional.sample(gan, n, seed=4), conditional.sample(gan, n, seed=4, labels=labels)
    )


def test_another_number_of_classes_is_a_config_field(conditional):
    cfg = dataclasses.replace(conditional.PRESETS["smoke"], num_classes=3)
    run = runtime.start("cpu", 0)
    gan = conditional.build(cfg, run)
    losses = conditional.train_step(gan, fake_batch(conditional, cfg), run)
    assert all(value.isfinite() for value in losses.values())
    assert len(conditional.sample(gan, 4)) == 4  # 0, 1, 2, 0


def test_sampling_changes_nothing(module):
    gan, _, batch = smallest(module)
    networks = {n: p for n, p in gan.parts().items() if isinstance(p, torch.nn.Module)}
    before, random = tensors(networks), torch.get_rng_state()
    modes = [net.training for net in nets(gan, "G").values()]
    if hasattr(module, "draw_z"):
        module.sample(gan, 5)
    else:
        for given, options in ways(module, gan, batch).values():
            module.sample(gan, *given, **options)
    after = tensors(networks)
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert torch.equal(random, torch.get_rng_state())
    assert modes == [net.training for net in nets(gan, "G").values()]


def test_bf16_trains_too(module):
    run = runtime.start("cpu", 0, precision="bf16")
    cfg = module.PRESETS["smoke"]
    losses = step(module, module.build(cfg, run), fake_batch(module, cfg), run)
    assert all(value.isfinite() for value in losses.values())


@pytest.mark.gpu
def test_a_step_runs_on_cuda_without_waiting(module):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    run = runtime.start("cuda", 0)
    cfg = module.PRESETS["smoke"]
    gan = module.build(cfg, run)
    batch = {name: value.cuda() for name, value in fake_batch(module, cfg).items()}
    step(module, gan, batch, run)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(module, gan, batch, run)
    finally:
        torch.cuda.set_sync_debug_mode("default")
