"""Weight normalisation: closed forms, the right axis, and the sizes of the authors' networks."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gancourse.gans import weightnorm
from gancourse.gans.weightnorm import EPSILON, Threshold, WeightNorm
from gancourse.training import runtime

NORMS = ("weight", "batch", "none")
LAYERS = {
    "linear": (lambda: nn.Linear(5, 3, bias=False), (4, 5)),
    "convolution": (lambda: nn.Conv2d(2, 3, 4, 2, 1, bias=False), (4, 2, 8, 8)),
    "transposed": (lambda: nn.ConvTranspose2d(2, 3, 4, 2, 1, bias=False), (4, 2, 8, 8)),
}
every_layer = pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)


@every_layer
def test_outputs_are_divided_by_the_length_of_their_own_weights(make, shape):
    norm, x = WeightNorm(make()), torch.randn(shape)
    weight, plain = norm.layer.weight, norm.layer(x)
    for k in range(3):
        own = weight[:, k] if isinstance(norm.layer, nn.ConvTranspose2d) else weight[k]
        seen = 1 / 4 if isinstance(norm.layer, nn.ConvTranspose2d) else 1
        length = math.sqrt(own.square().sum().item() * seen + EPSILON)
        torch.testing.assert_close(norm(x)[:, k], plain[:, k] / length)


@every_layer
def test_longer_weights_change_nothing_and_gradients_are_orthogonal_to_them(make, shape):
    norm, x = WeightNorm(make()).double(), torch.randn(shape).double()
    before, weight = norm(x), norm.layer.weight
    pull = torch.randn_like(before)
    (slope,) = torch.autograd.grad((before * pull).sum(), weight)
    product, squares = slope * weight, weight.square()
    if isinstance(norm.layer, nn.ConvTranspose2d):
        product, squares = product.transpose(0, 1), squares.transpose(0, 1) / 4
    squares = squares.flatten(1).sum(1) + EPSILON
    left = (before * pull).transpose(0, 1).flatten(1).sum(1) * EPSILON / squares  # nearly 0
    torch.testing.assert_close(product.flatten(1).sum(1), left, rtol=1e-6, atol=1e-12)
    with torch.no_grad():
        norm.layer.weight *= 50
    torch.testing.assert_close(norm(x), before, rtol=1e-3, atol=1e-4)


@every_layer
def test_noise_of_variance_1_comes_out_with_about_variance_1(make, shape):
    out = WeightNorm(make())(torch.randn(2000, *shape[1:]))
    inner = out[..., 1:-1, 1:-1] if out.ndim == 4 else out  # the padding is 0
    assert inner.std().item() == pytest.approx(1, abs=0.1)


def test_the_affine_layer_starts_as_the_strict_one_and_has_a_gain_and_a_shift():
    layer, x = nn.Linear(5, 3, bias=False), torch.randn(4, 5)
    strict, affine = WeightNorm(layer), WeightNorm(layer, affine=True)
    assert torch.equal(strict(x), affine(x))
    with torch.no_grad():
        affine.gain.fill_(2.0)
        affine.shift.fill_(0.5)
    torch.testing.assert_close(affine(x), 2 * strict(x) + 0.5)


def test_strict_layers_with_thresholds_are_plain_ones_rescaled():
    """TReLU(w.x / |w|) * |w| = PReLU(w.x - a) + a with the threshold a times |w|."""
    layer, x = nn.Conv2d(2, 3, 3, bias=False), torch.randn(4, 2, 6, 6)
    norm, activation = WeightNorm(layer), Threshold(3)
    with torch.no_grad():
        activation.threshold.copy_(torch.tensor([-0.3, 0.0, 0.4]))
    lengths = norm.lengths().view(-1, 1, 1)
    a = activation.threshold.view(-1, 1, 1) * lengths
    y = layer(x) - a
    plain = torch.where(y > 0, y, 0.25 * y) + a
    torch.testing.assert_close(activation(norm(x)) * lengths, plain, rtol=1e-4, atol=1e-5)


def test_a_threshold_keeps_values_above_it():
    activation, x = Threshold(2), torch.full((1, 2, 3, 3), 1.0)
    with torch.no_grad():
        activation.threshold.copy_(torch.tensor([0.5, 2.0]))
    out = activation(x)
    assert torch.equal(out[:, 0], x[:, 0])
    torch.testing.assert_close(out[:, 1], torch.full((1, 3, 3), 2.0 - 0.25))


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("norm", NORMS)
def test_the_paper_networks_have_the_authors_sizes(norm):
    """Layer by layer from pytorch/model.py, for 160x160 faces and z of 256; without the biases
    that batch norm cancels."""
    cfg = replace(weightnorm.PRESETS["paper"], norm=norm)
    with torch.device("meta"):
        netG, netD = weightnorm.networks(cfg).values()
    assert weightnorm.plan(cfg) == (5, 5)
    up, down = (1024, 512, 256, 128, 64), (64, 128, 256, 512, 1024)
    g = 256 * 1024 * 25 + 16 * sum(i * o for i, o in zip(up, (*up[1:], 3), strict=True))
    d = 16 * sum(i * o for i, o in zip((3, *down[:-1]), down, strict=True)) + 1024 * 25
    if norm == "weight":  # a slope and a threshold for each map; a gain and a shift at the end
        g, d = g + 2 * sum(up) + 2 * 3, d + 2 * sum(down) + 2
    elif norm == "batch":  # a slope, a gain and a shift; D's first layer has a bias in their place
        g, d = g + 3 * sum(up) + 3, d + 3 * sum(down) - 64 + 1
    else:
        g, d = g + 1024 * 25 + sum(up[1:]) + sum(up) + 3, d + 2 * sum(down) + 1
    assert (count(netG), count(netD)) == (g, d)
    assert (cfg.lr_g, cfg.alpha, cfg.batch_size, cfg.latent_dim) == (2e-5, 0.9, 32, 256)


@pytest.mark.parametrize("preset", ["smoke", "laptop"])
@pytest.mark.parametrize("norm", NORMS)
def test_each_norm_trains(preset, norm):
    run = runtime.start("cpu", 0)
    cfg = replace(weightnorm.PRESETS[preset], norm=norm, ngf=4, ndf=4, batch_size=4)
    gan = weightnorm.build(cfg, run)
    real = torch.rand(4, 1, 32, 32) * 2 - 1
    before = gan.netG.out(torch.zeros(1, 4, 16, 16)).clone()
    losses = weightnorm.train_step(gan, {"real": real}, run)
    assert losses["D/adv"].item() == pytest.approx(math.log(4), abs=1.5)
    assert not torch.equal(gan.netG.out(torch.zeros(1, 4, 16, 16)), before) or norm == "weight"
    kinds = [type(module) for module in (*gan.netG.modules(), *gan.netD.modules())]
    assert (WeightNorm in kinds) == (norm == "weight")
    assert (nn.BatchNorm2d in kinds) == (norm == "batch")


def test_without_batch_norm_in_d_a_logit_does_not_depend_on_the_batch():
    cfg = replace(weightnorm.PRESETS["smoke"], norm="weight")
    netD, x = weightnorm.Discriminator(cfg), torch.randn(4, 1, 32, 32)
    torch.testing.assert_close(netD(x)[:1], netD(x[:1]))
