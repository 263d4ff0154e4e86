"""SRGAN: its losses in closed form, the paper's networks, its two stages, its interpolation."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from gancourse.errors import CourseError
from gancourse.fields import example
from gancourse.gans import srgan
from gancourse.trained import frozen_for
from gancourse.training import runtime

CFG = srgan.PRESETS["smoke"]


@pytest.fixture(scope="module")
def frozen():
    return frozen_for(srgan)


def batch(n=4):
    return example(srgan.inputs(CFG), n, torch.Generator().manual_seed(0))


def test_the_paper_networks_have_the_papers_sizes():
    """16 blocks of 64 channels, a PReLU with one slope each; D at 96x96 pixels (figure 4)."""
    cfg = srgan.PRESETS["paper"]
    with torch.device("meta"):
        networks = srgan.networks(cfg)
    count = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
    assert count == {"netG": 1_549_462, "netG_mse": 1_549_462, "netD": 23_565_505}
    assert (cfg.batch_size, cfg.pretrain_steps, cfg.steps) == (16, 10**6, 2 * 10**5)
    assert (cfg.lr_g, cfg.lambda_adv, cfg.betas) == (1e-4, 1e-3, (0.9, 0.999))
    assert cfg.feature_scale**2 == pytest.approx(0.006, abs=2e-4)  # section 3.2


def test_g_enlarges_pictures_of_any_size():
    netG = srgan.Generator(CFG)
    assert netG(torch.zeros(2, 3, 5, 7)).shape == (2, 3, 20, 28)


def test_the_losses_are_binary_cross_entropies():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.7, 2.0])
    bce, one = F.binary_cross_entropy_with_logits, torch.ones(2)
    by_hand = bce(real, one) + bce(fake, 0 * one)
    assert srgan.d_loss(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-6)
    assert srgan.d_loss(0 * one, 0 * one).item() == pytest.approx(math.log(4))
    assert srgan.g_loss(fake).item() == pytest.approx(bce(fake, one).item(), rel=1e-6)
    assert srgan.g_loss(torch.tensor([-200.0])).item() == 200.0


def test_the_content_loss_is_that_of_pixels_or_of_one_scaled_feature_map():
    class Twice:
        def encode(self, images):
            return [images, 2 * images]

    fake, real = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.5)
    mse = replace(CFG, content="mse", feature_scale=7.0)
    assert srgan.content_loss(fake, real, None, mse).item() == pytest.approx(0.25)
    cfg = replace(CFG, content="features", feature_level=1, feature_scale=3.0)
    assert srgan.content_loss(fake, real, Twice(), cfg).item() == pytest.approx(9 * 1.0)


@pytest.mark.parametrize("level", range(5))
def test_the_judge_has_a_map_for_each_level_of_the_paper(frozen, level):
    cfg, images = replace(CFG, feature_level=level), torch.rand(2, 3, 32, 32)
    loss = srgan.content_loss(images, images + 0.1, frozen["frozen"]["features"], cfg)
    assert loss.item() > 0


def test_the_gradient_of_the_features_reaches_g_and_not_the_frozen_network(frozen):
    fake = torch.zeros(1, 3, 32, 32, requires_grad=True)
    srgan.content_loss(fake, torch.ones(1, 3, 32, 32), frozen["frozen"]["features"], CFG).backward()
    assert fake.grad.abs().sum() > 0
    assert all(p.grad is None for p in frozen["frozen"]["features"].parameters())


def test_the_first_stage_ends_as_netG_mse_which_the_second_leaves(frozen):
    run = runtime.start("cpu", 0)
    gan = srgan.build(CFG, run, **frozen)
    for _ in range(3):
        srgan.pretrain_step(gan, batch(), run)
    kept = {name: value.clone() for name, value in gan.netG_mse.state_dict().items()}
    for name, value in gan.ema.net.state_dict().items():
        assert torch.equal(kept[name], value), name
    srgan.train_step(gan, batch(), run)
    assert all(torch.equal(kept[n], value) for n, value in gan.netG_mse.state_dict().items())
    assert not torch.equal(kept["last.weight"], gan.ema.net.last.weight)


def test_step_sizes_fall_in_the_second_half_of_the_second_stage(frozen):
    cfg = replace(CFG, pretrain_steps=2, steps=4)
    run = runtime.start("cpu", 0)
    gan, seen = srgan.build(cfg, run, **frozen), []
    for step in (srgan.pretrain_step,) * 2 + (srgan.train_step,) * 4:
        seen.append([opt.param_groups[0]["lr"] for opt in (gan.opt_g, gan.opt_d)])
        step(gan, batch(), run)
    high, low = cfg.lr_g, cfg.lr_g * cfg.lr_drop
    assert [g for g, _ in seen] == pytest.approx([cfg.lr_pretrain] * 2 + [high] * 2 + [low] * 2)
    assert [d for _, d in seen[2:]] == pytest.approx([cfg.lr_d] * 2 + [cfg.lr_d * cfg.lr_drop] * 2)


def test_without_an_adversarial_loss_d_stays_as_it_is(frozen):
    run = runtime.start("cpu", 0)
    gan = srgan.build(replace(CFG, lambda_adv=0.0), run, **frozen)
    before = gan.netD.out.weight.clone()
    log = srgan.train_step(gan, batch(), run)
    assert log.keys() == {"G/content", "G/mse"} and torch.equal(before, gan.netD.out.weight)


def test_icnr_starts_as_a_repetition_of_pixels():
    netG = srgan.Generator(CFG)
    srgan.start_as_repetition(netG)
    up = torch.nn.Sequential(*netG.enlarge[:2])
    y = up(torch.randn(2, CFG.g_width, 6, 6))
    torch.testing.assert_close(y, F.interpolate(y[..., ::2, ::2], scale_factor=2))


def test_interpolation_has_the_two_networks_at_its_ends():
    start, end = srgan.Generator(CFG), srgan.Generator(CFG)
    x = torch.rand(2, 3, 8, 8)
    for net in (start, end):  # other running means
        net(x)
    for alpha, net in ((0.0, start), (1.0, end)):
        torch.testing.assert_close(srgan.interpolate(start, end, alpha)(x), net.eval()(x))
    half = srgan.interpolate(start, end, 0.5)
    torch.testing.assert_close(half.last.weight, (start.last.weight + end.last.weight) / 2)


def test_samples_are_clamped(frozen):
    gan = srgan.build(CFG, runtime.start("cpu", 0), **frozen)
    gan.ema.net.last.bias.data.fill_(9.0)
    assert srgan.sample(gan, input=torch.zeros(1, 3, 8, 8)).unique().tolist() == [1.0]


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(CourseError, match="multiple of 16"):
        srgan.Generator(replace(CFG, image_size=40))
    with pytest.raises(CourseError, match="odd"):
        srgan.Generator(replace(CFG, g_kernel=4))


def test_a_configuration_may_name_another_frozen_network():
    cfg = replace(CFG, features="vgg19")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gancourse.trained.vgg.load", lambda: torch.nn.Linear(1, 1))
        net = frozen_for(srgan, cfg=cfg)["frozen"]["features"]
    assert isinstance(net, torch.nn.Linear) and not net.weight.requires_grad
