"""WGAN-GP: the penalty in closed form, samples apart, the authors' numbers of weights."""

import copy
from dataclasses import replace

import pytest
import torch

from gancourse.gans import wgan_gp
from gancourse.training import runtime


def numbers(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def count(net):
    return sum(p.numel() for p in net.parameters())


def linear(w):
    return lambda x: (x * w).flatten(1).sum(1)


@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(2,), (3, 4, 4)])
def test_the_penalty_of_a_linear_critic_is_its_slope_minus_one_squared(length, shape):
    w = numbers(*shape)
    w = (length * w / w.norm()).requires_grad_()
    penalty = wgan_gp.gradient_penalty(linear(w), numbers(5, *shape), numbers(5, *shape, seed=1))
    assert penalty.item() == pytest.approx((length - 1) ** 2, abs=1e-6)
    penalty.backward()  # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
    wanted = 2 * (length - 1) * w.detach() / w.detach().norm()
    torch.testing.assert_close(w.grad, wanted, atol=1e-6, rtol=1e-5)


def test_the_penalty_is_taken_on_the_line_between_real_and_fake():
    """D(x) = x^2 / 2 has the slope x: from real 3 to fake 1 it lies between."""
    torch.manual_seed(0)
    real, fake = torch.full((4000, 1), 3.0), torch.full((4000, 1), 1.0)
    penalty = wgan_gp.gradient_penalty(lambda x: x.square().sum(1) / 2, real, fake)
    assert penalty.item() == pytest.approx(4 / 3, rel=0.05)  # the mean of u^2 over [0, 2]


def test_the_penalty_of_a_flat_critic_has_a_finite_gradient():
    w = torch.zeros(3, 4, 4, requires_grad=True)
    penalty = wgan_gp.gradient_penalty(linear(w), numbers(5, 3, 4, 4), numbers(5, 3, 4, 4, seed=1))
    penalty.backward()
    assert penalty.item() == 1 and w.grad.isfinite().all()


def test_the_paper_networks_have_the_authors_sizes():
    """``gan_mnist.py`` and ``gan_toy.py`` of github.com/igul222/improved_wgan_training."""
    cfg = wgan_gp.PRESETS["paper"]
    assert count(wgan_gp.Generator(cfg)) == 1_554_177
    assert count(wgan_gp.Critic(cfg)) == 1_030_145
    assert (cfg.lambda_gp, cfg.n_critic, cfg.lr_g, cfg.betas) == (10, 5, 1e-4, (0.0, 0.9))
    assert count(wgan_gp.networks(wgan_gp.PLANE["paper"])["netG"]) == 527_874


@pytest.mark.parametrize("side", [16, 28, 32, 48, 64])
@pytest.mark.parametrize("kernel", [4, 5])
def test_pictures_of_any_side_have_a_way_through_both_networks(side, kernel):
    cfg = replace(wgan_gp.PRESETS["smoke"], sample_shape=(3, side, side), kernel_size=kernel)
    netG, netD = wgan_gp.networks(cfg).values()
    picture = netG(torch.randn(2, cfg.latent_dim))
    assert picture.shape == (2, 3, side, side) and netD(picture).shape == (2,)


@pytest.mark.parametrize("d_norm", [False, True])
def test_a_score_depends_on_its_own_picture_alone(d_norm):
    """The penalty of a batch takes the slope of each; with batch norm there would be none."""
    cfg = replace(wgan_gp.PRESETS["smoke"], d_norm=d_norm)
    netD = wgan_gp.Critic(cfg)
    x = numbers(4, *cfg.sample_shape).requires_grad_()
    (together,) = torch.autograd.grad(netD(x).sum(), x)
    for i in range(4):
        one = x[i : i + 1].detach().requires_grad_()
        (alone,) = torch.autograd.grad(netD(one).sum(), one)
        torch.testing.assert_close(together[i : i + 1], alone)


def test_weights_start_with_the_variance_that_the_docstring_gives():
    cfg = wgan_gp.PRESETS["paper"]
    gan = wgan_gp.build(cfg, runtime.start("cpu", 0))
    second, last = gan.netD.down[1], gan.netG.up[-1]
    fans = 25 * 64 + 25 * 128 / 4
    assert second.weight.var().item() == pytest.approx(4 / fans, rel=0.02)
    fans = 25 * 64 / 4 + 25 * 1
    assert last.weight.var().item() == pytest.approx(4 / fans, rel=0.1)
    assert all(not layer.bias.any() for layer in (second, last, gan.netD.out))


def test_g_is_updated_in_the_last_of_n_critic_steps():
    cfg = replace(wgan_gp.PLANE["smoke"], n_critic=3, batch_size=8)
    run = runtime.start("cpu", 0)
    gan = wgan_gp.build(cfg, run)
    before, tags = copy.deepcopy(gan.netG.state_dict()), []
    for gan.step in range(3):
        after = gan.netG.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)
        tags.append("G/adv" in wgan_gp.train_step(gan, {"real": torch.randn(8, 2)}, run))
    assert tags == [False, False, True]
    assert any(not torch.equal(before[n], w) for n, w in gan.netG.state_dict().items())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_penalty_can_be_differentiated_again_in_channels_last(precision):
    run = runtime.start("cpu", 0, precision=precision, channels_last=True)
    gan = wgan_gp.build(wgan_gp.PRESETS["smoke"], run)
    shape = gan.cfg.sample_shape
    with run.autocast():
        penalty = wgan_gp.gradient_penalty(gan.netD, numbers(4, *shape), numbers(4, *shape, seed=1))
    assert penalty.dtype == torch.float32
    penalty.backward()
    for name, weight in gan.netD.named_parameters():
        if name.endswith("weight"):
            assert weight.grad.isfinite().all() and weight.grad.abs().sum() > 0, name
