"""WGAN: the losses, the clipping, the turns of the players, the authors' numbers of weights."""

import copy
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from gancourse.gans import wgan
from gancourse.training import runtime

POINTS = replace(wgan.PLANE["smoke"], hidden=(8, 8), batch_size=8)


def count(net):
    return sum(p.numel() for p in net.parameters())


def start(cfg):
    run = runtime.start("cpu", 0)
    return wgan.build(cfg, run), run


def test_the_losses_are_differences_of_means():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0, 1.0])
    assert wgan.d_loss(real, fake).item() == -2.0
    assert wgan.g_loss(fake).item() == 0.0


def test_the_paper_networks_have_the_authors_sizes():
    """DCGAN_G and DCGAN_D of github.com/martinarjovsky/WassersteinGAN, for 64x64."""
    cfg = wgan.PRESETS["paper"]
    assert count(wgan.Generator(cfg)) == 3_576_704
    assert count(wgan.Critic(cfg)) == 2_765_568
    assert (cfg.lr_g, cfg.lr_d, cfg.clip, cfg.n_critic, cfg.batch_size) == (5e-5, 5e-5, 0.01, 5, 64)


def test_the_perceptron_has_four_layers_of_512():
    cfg = replace(wgan.PRESETS["paper"], g_perceptron=True)
    netG = wgan.networks(cfg)["netG"]
    sizes = [100, 512, 512, 512, 512, 3 * 64 * 64]
    assert count(netG) == sum((a + 1) * b for a, b in pairwise(sizes))
    picture = netG(torch.randn(2, 100))
    assert picture.shape == (2, 3, 64, 64) and picture.abs().max() <= 1


@pytest.mark.parametrize("norms", [{"g_norm": False}, {"d_norm": False}])
def test_norms_can_be_left_out(norms):
    nets = wgan.networks(replace(wgan.PRESETS["smoke"], **norms))
    name = "netG" if "g_norm" in norms else "netD"
    assert not [m for m in nets[name].modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_d_is_clipped_after_each_update_and_g_is_updated_in_the_last_of_n_critic():
    gan, run = start(replace(POINTS, clip=0.05, n_critic=3))
    tags, before = [], copy.deepcopy(gan.netG.state_dict())
    for gan.step in range(6):
        if gan.step == 2:  # G has not moved yet
            after = gan.netG.state_dict()
            assert all(torch.equal(before[name], after[name]) for name in before)
        tags.append("G/adv" in wgan.train_step(gan, {"real": torch.randn(8, 2)}, run))
        assert max(w.abs().max().item() for w in gan.netD.parameters()) <= 0.05 + 1e-6
    assert tags == [False, False, True] * 2


def test_the_optimizer_is_rmsprop_with_the_authors_rates():
    gan, _ = start(wgan.PRESETS["smoke"])
    for optimizer in (gan.opt_g, gan.opt_d):
        assert isinstance(optimizer, torch.optim.RMSprop)
        assert optimizer.param_groups[0]["alpha"] == 0.99
        assert optimizer.param_groups[0]["momentum"] == 0


def test_d_begins_within_the_limit():
    gan, _ = start(replace(POINTS, clip=0.05))
    assert max(w.abs().max().item() for w in gan.netD.parameters()) <= 0.05 + 1e-6
