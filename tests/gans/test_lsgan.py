"""The least squares GAN: its losses in closed form, its divergence, the networks of the paper."""

import math
from dataclasses import replace

import pytest
import torch

from gancourse.data.source import ImageData
from gancourse.files import statefile
from gancourse.gans import dcgan, lsgan
from gancourse.training import runtime
from gancourse.training.loop import train

CODINGS = {"0-1": (0.0, 1.0, 1.0), "-1, 1, 0": (-1.0, 1.0, 0.0)}
every_coding = pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS)
TINY = replace(
    lsgan.PRESETS["smoke"],
    image_size=8,
    latent_dim=4,
    g_channels=(4,),
    g_strides=(2,),
    d_channels=(4,),
    batch_size=8,
)


def count(net):
    return sum(p.numel() for p in net.parameters())


@every_coding
def test_d_loss_is_half_the_squared_distance_to_the_targets(coding):
    a, b, _ = coding
    real, fake = [0.3, -1.2, 4.0], [0.7, 2.0, -3.0]
    by_hand = sum((t - b) ** 2 for t in real) / 6 + sum((t - a) ** 2 for t in fake) / 6
    got = lsgan.d_loss(torch.tensor(real), torch.tensor(fake), a, b)
    assert got.item() == pytest.approx(by_hand, rel=1e-6)


def test_a_d_that_cannot_tell_has_the_loss_that_the_docstring_gives():
    for a, b, _ in CODINGS.values():
        middle = torch.full((3,), (a + b) / 2)
        assert lsgan.d_loss(middle, middle, a, b).item() == pytest.approx((b - a) ** 2 / 4)


@pytest.mark.parametrize("logit", [-30.0, -1.0, 0.5, 1.0, 30.0])
@every_coding
def test_every_gradient_is_the_distance_to_the_target(logit, coding):
    """d/dt of (t - target)^2 / 2 is t - target, however far away."""
    a, b, c = coding
    t = torch.tensor([logit], requires_grad=True)
    aside = torch.zeros(1)
    for loss, target in (
        (lsgan.d_loss(t, aside, a, b), b),
        (lsgan.d_loss(aside, t, a, b), a),
        (lsgan.g_loss(t, c), c),
    ):
        (slope,) = torch.autograd.grad(loss, t)
        assert slope.item() == pytest.approx(logit - target, abs=1e-6)


def test_a_fake_far_on_the_side_of_the_real_ones_is_pulled_back_here_alone():
    t = torch.tensor([20.0], requires_grad=True)
    (cross_entropy,) = torch.autograd.grad(dcgan.g_loss(t), t)
    (least_squares,) = torch.autograd.grad(lsgan.g_loss(t), t)
    assert abs(cross_entropy.item()) < 1e-8
    assert least_squares.item() == pytest.approx(19.0)


def densities(distance):
    """Two normal densities on a fine grid, and the length of a cell."""
    x = torch.linspace(-12, 20, 6401, dtype=torch.float64)
    p, q = (torch.exp(-((x - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (0.0, distance))
    return p, q, (x[1] - x[0]).item()


def criterion(p, q, cell, a, b, c):
    """C(G) of the paper: G's loss over data and fakes, with D at its best; by d_loss alone."""
    d = ((b * p + a * q) / (p + q)).requires_grad_(True)
    value = (((d - b).square() * p + (d - a).square() * q) / 2).sum() * cell
    (slope,) = torch.autograd.grad(value, d)
    assert slope.abs().max() < 1e-12  # this d is where d_loss has its minimum
    return ((((d - c).square() * (p + q)) / 2).sum() * cell).item()


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 3.0, 8.0])
def test_at_the_best_d_the_game_measures_the_pearson_divergence(distance):
    """2 C(G) is the Pearson chi-square of p + q and 2 q where b - c = 1 and b - a = 2."""
    p, q, cell = densities(distance)
    chi_square = ((2 * q - (p + q)).square() / (p + q)).sum().item() * cell
    assert 2 * criterion(p, q, cell, *CODINGS["-1, 1, 0"]) == pytest.approx(chi_square, abs=1e-9)
    # The other coding measures the same divergence in other units.
    assert 2 * criterion(p, q, cell, *CODINGS["0-1"]) == pytest.approx(0.5 + chi_square / 4)
    assert chi_square == pytest.approx(0.0, abs=1e-9) if distance == 0 else chi_square > 0.1
    assert chi_square < 2


def test_the_paper_networks_have_the_authors_sizes():
    """Layer by layer from vgg.py, github.com/xudonmao/LSGAN, for 112x112 images and z of 1024.

    Without biases, which batch norm cancels or which are left out, and with a gain and a shift
    for each of the first layer's units, as in lesson 2.
    """
    cfg = lsgan.PRESETS["paper"]
    generator, discriminator = lsgan.Generator(cfg), lsgan.Discriminator(cfg)
    first = 1024 * 256 * 7 * 7
    deconvolutions = [(256, 256)] * 4 + [(256, 128), (128, 64), (64, 3)]
    weights = first + sum(3 * 3 * i * o for i, o in deconvolutions)
    gains = 2 * (256 * 7 * 7) + 2 * (4 * 256 + 128 + 64)
    assert count(generator) == weights + gains
    weights = 5 * 5 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 512 * 7 * 7
    assert count(discriminator) == weights + 2 * (128 + 256 + 512)
    strides = [layer.stride[0] for layer in generator.up]
    assert strides == [2, 1, 2, 1, 2, 2, 1]
    assert (cfg.lr_g, cfg.lr_d, cfg.betas[0], cfg.batch_size) == (0.001, 0.001, 0.5, 64)
    assert (cfg.a, cfg.b, cfg.c) == CODINGS["0-1"]


@pytest.mark.parametrize("preset", ["laptop", "paper"])
def test_shapes_fit_the_data(preset):
    cfg = lsgan.PRESETS[preset]
    with torch.device("meta"):
        images = lsgan.Generator(cfg)(torch.zeros(2, cfg.latent_dim))
        assert images.shape == (2, 3, cfg.image_size, cfg.image_size)
        assert lsgan.Discriminator(cfg)(images).shape == (2,)


def test_the_laptop_networks_are_those_of_lesson_2():
    """Only the loss differs: the same seed gives the same weights, and these the same pictures."""
    ours, theirs = (
        module.build(module.PRESETS["laptop"], runtime.start("cpu", 3)) for module in (lsgan, dcgan)
    )
    cfg = dcgan.PRESETS["laptop"]
    shared = "image_size latent_dim lr_g lr_d betas init_std ema_decay batch_size steps"
    for field in shared.split():
        assert getattr(ours.cfg, field) == getattr(cfg, field), field
    for net in ("netG", "netD"):
        mine, other = getattr(ours, net).state_dict(), getattr(theirs, net).state_dict()
        assert list(mine) == list(other)
        assert all(torch.equal(mine[name], other[name]) for name in mine)
    images = lsgan.sample(ours, 2)
    assert torch.equal(images, dcgan.sample(theirs, 2))
    assert torch.equal(ours.netD(images), theirs.netD(images))


def test_a_step_of_lesson_2_trains_these_networks_too():
    """So the lesson can compare losses with everything else the same."""
    run = runtime.start("cpu", 0)
    gan = lsgan.build(TINY, run)
    losses = dcgan.train_step(gan, {"real": torch.rand(8, 3, 8, 8) * 2 - 1}, run)
    assert losses["D/adv"].item() == pytest.approx(math.log(4), abs=0.5)


@every_coding
def test_the_step_uses_the_coding_of_its_config(coding):
    a, b, c = coding
    run = runtime.start("cpu", 0)
    gan = lsgan.build(replace(TINY, a=a, b=b, c=c, lr_d=0.0), run)  # D stays as it is
    real = torch.rand(8, 3, 8, 8) * 2 - 1
    random = torch.get_rng_state()
    losses = lsgan.train_step(gan, {"real": real}, run)
    torch.set_rng_state(random)
    before = lsgan.build(replace(TINY, lr_d=0.0), runtime.start("cpu", 0))
    torch.set_rng_state(random)
    real_logits = before.netD(real)
    fake_logits = before.netD(before.netG(lsgan.draw_z(TINY, 8)))
    assert losses["D/adv"].item() == pytest.approx(
        lsgan.d_loss(real_logits, fake_logits, a, b).item(), rel=1e-5
    )
    assert losses["G/adv"].item() == pytest.approx(lsgan.g_loss(fake_logits, c).item(), rel=1e-5)
    assert losses["D/logit_real"].item() == pytest.approx(real_logits.mean().item(), abs=1e-6)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_both_optimizers_train(name):
    run = runtime.start("cpu", 0)
    gan = lsgan.build(replace(TINY, optimizer=name), run)
    kind = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[name]
    assert isinstance(gan.opt_g, kind) and isinstance(gan.opt_d, kind)
    before = gan.netG.project.weight.clone()
    lsgan.train_step(gan, {"real": torch.rand(8, 3, 8, 8) * 2 - 1}, run)
    assert not torch.equal(before, gan.netG.project.weight)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_resumed_run_ends_bit_for_bit_like_a_whole_one(tmp_path, name):
    pixels = torch.arange(32 * 3 * 8 * 8).reshape(32, 3, 8, 8) % 256
    data = ImageData(pixels.byte(), None, "stripes")
    cfg = replace(TINY, optimizer=name, ema_decay=0.9)
    for folder, stops in (("whole", [6]), ("halved", [3, 6])):
        for stop in stops:
            run = runtime.start("cpu", 1)
            gan = lsgan.build(cfg, run)
            options = {"steps": stop, "out_dir": tmp_path / folder, "resume": True, "quiet": True}
            train(gan, lsgan.train_step, data, run, log_every=1, **options)
    whole, halved = (
        statefile.flatten(statefile.load(tmp_path / folder / "checkpoint.safetensors")[0])
        for folder in ("whole", "halved")
    )
    assert whole[0] == halved[0]
    assert all(torch.equal(whole[1][key], halved[1][key]) for key in whole[1])
