"""DCGAN: the authors' networks layer by layer, the rules, and the losses in closed form."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gancourse.data import ImageData
from gancourse.gans import dcgan
from gancourse.training import runtime, train

SMOKE = dcgan.PRESETS["smoke"]


def meta(network, cfg):
    with torch.device("meta"):
        return network(cfg)


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_the_papers_generator_has_the_authors_weights():
    """faces/train_uncond_dcgan.py: no biases, gain and shift after each layer but the last."""
    project = 100 * 16_384 + 2 * 16_384
    kernels = 25 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    norms = 2 * (512 + 256 + 128)
    assert count(meta(dcgan.Generator, dcgan.Config())) == project + kernels + norms == 18_885_760


def test_the_papers_discriminator_has_the_authors_weights():
    kernels = 25 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024)
    norms = 2 * (256 + 512 + 1024)
    out = 1024 * 4 * 4
    total = kernels + norms + out
    assert count(meta(dcgan.Discriminator, dcgan.Config())) == total == 17_232_768


@pytest.mark.parametrize("kernel_size", [3, 4, 5])
@pytest.mark.parametrize("image_size", [8, 32, 64, 128])
def test_every_kernel_doubles_and_halves_exactly(kernel_size, image_size):
    cfg = replace(SMOKE, kernel_size=kernel_size, image_size=image_size, ngf=2, ndf=2)
    images = dcgan.Generator(cfg)(torch.zeros(2, cfg.latent_dim))
    assert images.shape == (2, 3, image_size, image_size)
    sides = [x.shape[-1] for x in dcgan.Discriminator(cfg).features(images)]
    assert sides == [image_size // 2**i for i in range(1, len(sides) + 1)] and sides[-1] == 4


def test_batch_norm_is_everywhere_but_at_gs_output_and_ds_input():
    cfg = dcgan.PRESETS["laptop"]
    netG, netD = meta(dcgan.Generator, cfg), meta(dcgan.Discriminator, cfg)
    assert isinstance(netG.project_norm, nn.BatchNorm1d)
    kinds = [[type(norm) for norm in net.norms] for net in (netG, netD)]
    assert kinds[0] == [nn.BatchNorm2d] * 3  # of the four layers before the image
    assert kinds[1] == [nn.Identity] + [nn.BatchNorm2d] * 3


def test_units_are_relu_in_g_and_leaky_relu_in_d():
    x = torch.tensor([-1.0, 2.0])
    netG, netD = meta(dcgan.Generator, SMOKE), meta(dcgan.Discriminator, SMOKE)
    assert netG.activation(x).tolist() == [0.0, 2.0]
    assert torch.allclose(netD.activation(x), torch.tensor([-0.2, 2.0]))


def test_weights_start_from_the_papers_distribution():
    torch.manual_seed(0)
    gan = dcgan.build(replace(SMOKE, ngf=32, ndf=32), runtime.start("cpu", 0))
    weights = torch.cat([m.weight.flatten() for m in gan.netG.up])
    assert weights.mean().abs() < 1e-3 and abs(weights.std() - 0.02) < 1e-3
    gains = torch.cat([m.weight for m in gan.netD.modules() if isinstance(m, nn.BatchNorm2d)])
    assert abs(gains.mean() - 1) < 0.02


def test_the_optimizers_are_the_papers():
    gan = dcgan.build(replace(dcgan.Config(), ngf=2, ndf=2, image_size=8), runtime.start("cpu", 0))
    for optimizer in (gan.opt_g, gan.opt_d):
        (group,) = optimizer.param_groups
        assert (group["lr"], tuple(group["betas"])) == (2e-4, (0.5, 0.999))
        assert group["weight_decay"] == 1e-5


def test_z_is_uniform_between_minus_one_and_one():
    z = dcgan.draw_z(dcgan.Config(), 1000, torch.Generator().manual_seed(0))
    assert -1 <= z.min() < -0.99 and 0.99 < z.max() < 1
    assert abs(z.var() - 1 / 3) < 0.01


def test_losses_and_their_slopes_in_closed_form():
    real, fake = torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 3.0], requires_grad=True)

    def minus_log_sigmoid(t):
        return math.log(1 + math.exp(-t))

    expected = (minus_log_sigmoid(0) + minus_log_sigmoid(2)) / 2
    expected += (minus_log_sigmoid(1) + minus_log_sigmoid(-3)) / 2
    assert dcgan.d_loss(real, fake).item() == pytest.approx(expected, rel=1e-6)
    loss = dcgan.g_loss(fake)
    assert loss.item() == pytest.approx((minus_log_sigmoid(-1) + minus_log_sigmoid(3)) / 2)
    (slope,) = torch.autograd.grad(loss, fake)
    assert torch.allclose(slope, -(1 - fake.detach().sigmoid()) / 2)  # -(1 - D) / N


def test_a_resumed_run_is_bit_for_bit_a_whole_one(tmp_path):
    pixels = torch.randint(0, 256, (32, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    data = ImageData(pixels.byte(), None, "noise", ())
    cfg = replace(SMOKE, batch_size=8)

    def fit(steps, folder):
        run = runtime.start("cpu", 0)
        gan = dcgan.build(cfg, run)
        train(
            gan, dcgan.train_step, data, run, steps=steps, out_dir=folder, resume=True, quiet=True
        )
        return gan

    whole = fit(6, tmp_path / "whole")
    fit(3, tmp_path / "parts")
    parts = fit(6, tmp_path / "parts")
    for name, part in whole.parts().items():
        if isinstance(part, nn.Module):
            other = getattr(parts, name).state_dict()
            assert all(torch.equal(v, other[k]) for k, v in part.state_dict().items()), name
