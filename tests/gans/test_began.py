"""BEGAN: the losses in closed form, a controller that keeps its range, the networks' sizes."""

import copy
from dataclasses import replace

import pytest
import torch

from gancourse.gans import began
from gancourse.training import checkpoint, runtime


def count(net):
    return sum(p.numel() for p in net.parameters())


def controller(**changes):
    return began.Controller(replace(began.PRESETS["paper"], **changes))


@pytest.mark.parametrize(
    ("changes", "g", "d"),
    [({}, 1_716_611, 13_405_379), ({"image_size": 32, "ngf": 16, "ndf": 16}, 80_915, 342_787)],
)
def test_the_networks_have_the_sizes_of_the_reimplementation(changes, g, d):
    """``models.py`` of github.com/carpedm20/BEGAN-tensorflow."""
    with torch.device("meta"):
        netG, netD = began.networks(replace(began.PRESETS["paper"], **changes)).values()
    assert (count(netG), count(netD)) == (g, d)


def test_the_paper_preset_holds_the_published_numbers():
    cfg = began.PRESETS["paper"]
    assert (cfg.gamma, cfg.lambda_k, cfg.k_start, cfg.lr_g, cfg.batch_size) == (
        *(0.5, 1e-3, 0.0),
        *(1e-4, 16),
    )


@pytest.mark.parametrize("side", [8, 16, 64])
def test_d_returns_a_picture_and_g_draws_one_of_the_same_shape(side):
    cfg = replace(began.PRESETS["smoke"], image_size=side, image_channels=1)
    netG, netD = began.networks(cfg).values()
    fake = netG(torch.zeros(2, cfg.latent_dim))
    assert fake.shape == netD(fake).shape == (2, 1, side, side)
    assert netD.encoder(fake).shape == (2, cfg.latent_dim)


@pytest.mark.parametrize("skips", [True, False])
def test_with_skips_the_code_reaches_later_levels_around_the_first(skips):
    """The first level is blocked; what arrives has come by a skip."""
    torch.manual_seed(0)
    netG = began.networks(replace(began.PRESETS["smoke"], skips=skips))["netG"]
    for conv in netG.levels[0]:
        torch.nn.init.zeros_(conv.weight)
    one, other = netG(torch.randn(2, netG.project.in_features))
    assert torch.equal(one, other) is not skips


def test_the_error_of_decoding_is_a_mean_over_all_numbers():
    images, decoded = torch.ones(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)
    decoded[0] = 1.0
    assert began.decoding_loss(images, decoded).item() == pytest.approx(0.5)


def test_the_derivative_of_d_by_the_loss_of_the_fakes_is_minus_k():
    real, fake, k = (torch.tensor(x, requires_grad=True) for x in (0.2, 0.1, 0.3))
    began.d_loss(real, fake, k.detach()).backward()
    assert (real.grad.item(), k.grad) == (1.0, None)
    assert fake.grad.item() == pytest.approx(-0.3)


@pytest.mark.parametrize("gamma", [0.3, 0.7])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_k_rises_where_the_ratio_is_below_gamma_and_falls_above(gamma, ratio):
    part = controller(gamma=gamma, lambda_k=0.1, k_start=0.5)
    measure = part.update(torch.tensor(0.2), torch.tensor(0.2 * ratio))
    assert part.k.item() == pytest.approx(0.5 + 0.1 * 0.2 * (gamma - ratio))
    assert measure.item() == pytest.approx(0.2 + 0.2 * abs(gamma - ratio))


def test_k_stands_still_where_the_ratio_is_gamma():
    part = controller(gamma=0.4, lambda_k=5.0, k_start=0.3)
    assert part.update(torch.tensor(0.5), torch.tensor(0.2)).item() == pytest.approx(0.5)
    assert part.k.item() == pytest.approx(0.3)


@pytest.mark.parametrize(("losses", "end"), [((9.0, 0.0), 1.0), ((0.1, 9.0), 0.0)])
def test_k_keeps_its_range(losses, end):
    part = controller(lambda_k=1.0, k_start=0.5)
    part.update(*map(torch.tensor, losses))
    assert part.k.item() == end


def test_k_is_saved_and_no_optimizer_knows_it():
    gan = began.build(began.PRESETS["smoke"], runtime.start("cpu", 0))
    gan.controller.k.fill_(0.25)
    state = gan.controller.state_dict()
    assert state["k"].item() == 0.25 and not list(gan.controller.parameters())
    assert "controller" in gan.parts()
    checkpoint.describe(gan.cfg)


def test_a_step_keeps_no_graph_from_one_k_to_the_next():
    run = runtime.start("cpu", 0)
    gan = began.build(began.PRESETS["smoke"], run)
    side = gan.cfg.image_size
    for gan.step in range(2):
        losses = began.train_step(gan, {"real": torch.rand(4, 3, side, side) * 2 - 1}, run)
    assert not gan.controller.k.requires_grad and gan.controller.k.grad_fn is None
    assert losses["balance/k"] is not gan.controller.k


def test_with_k_at_0_d_does_not_see_the_fakes():
    """D's first update is that of an autoencoder of real pictures alone."""
    run = runtime.start("cpu", 0)
    gan = began.build(replace(began.PRESETS["smoke"], lambda_k=0.0), run)
    netD = copy.deepcopy(gan.netD)
    side = gan.cfg.image_size
    real = torch.rand(4, 3, side, side) * 2 - 1
    began.train_step(gan, {"real": real}, run)
    optimizer = torch.optim.Adam(netD.parameters(), lr=gan.cfg.lr_d, betas=gan.cfg.betas)
    began.decoding_loss(real, netD(real)).backward()
    optimizer.step()
    for mine, wanted in zip(gan.netD.parameters(), netD.parameters(), strict=True):
        torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-4)


def test_the_step_sizes_are_halved_after_so_many_updates_of_any_run():
    run = runtime.start("cpu", 0)
    gan = began.build(replace(began.PRESETS["smoke"], halved_every=2), run)
    side, rates = gan.cfg.image_size, []
    for gan.step in range(5):
        rates.append(gan.opt_g.param_groups[0]["lr"] / gan.cfg.lr_g)
        began.train_step(gan, {"real": torch.rand(4, 3, side, side) * 2 - 1}, run)
    assert rates == [1, 1, 0.5, 0.5, 0.25]
    assert gan.schedule_d.endless
