"""The first GAN: its losses in closed form, and the networks of the paper."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gancourse.gans import vanilla
from gancourse.training import runtime


def test_d_loss_is_the_cross_entropy_of_equation_1():
    real, fake = torch.tensor([0.3, -1.2]), torch.tensor([0.7, 2.0])
    by_hand = -(real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean())
    assert vanilla.d_loss(real, fake).item() == pytest.approx(by_hand.item(), rel=1e-6)
    assert vanilla.d_loss(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("logit", [-3.0, -0.5, 0.0, 2.0])
def test_both_generator_losses_have_the_gradient_of_the_closed_form(logit):
    """d/dt of -log sigmoid(t) is -(1 - p); of log(1 - sigmoid(t)) it is -p."""
    p = 1 / (1 + math.exp(-logit))
    for saturating, loss, slope in ((False, -math.log(p), p - 1), (True, math.log(1 - p), -p)):
        t = torch.tensor([logit], requires_grad=True)
        value = vanilla.g_loss(t, saturating)
        value.backward()
        assert value.item() == pytest.approx(loss, abs=1e-6)
        assert t.grad.item() == pytest.approx(slope, abs=1e-6)


def test_the_losses_stay_finite_where_the_sigmoid_rounds():
    far = torch.tensor([-200.0, 200.0])
    for value in (
        vanilla.d_loss(far, far),
        vanilla.g_loss(far),
        vanilla.g_loss(far, saturating=True),
    ):
        assert value.isfinite()
    assert vanilla.g_loss(torch.tensor([-200.0])).item() == pytest.approx(200.0)


def test_the_paper_networks_have_the_authors_sizes():
    """Layer by layer from mnist.yaml, github.com/goodfeli/adversarial."""
    cfg = vanilla.PRESETS["paper"]
    generator, discriminator = vanilla.Generator(cfg), vanilla.Discriminator(cfg)

    def count(net):
        return sum(p.numel() for p in net.parameters())

    assert count(generator) == (100 + 1) * 1200 + (1200 + 1) * 1200 + (1200 + 1) * 784
    assert count(discriminator) == (784 + 1) * 1200 + (240 + 1) * 1200 + (240 + 1) * 1
    assert (cfg.batch_size, cfg.lr_g, cfg.lr_d, cfg.momentum) == (100, 0.1, 0.1, (0.5, 0.7))


def test_a_maxout_unit_takes_the_largest_of_its_pieces():
    cfg = replace(
        vanilla.PLANE["smoke"], d_hidden=(1,), maxout_pieces=3, dropout=(0.0, 0.0), d_init=0.1
    )
    net = vanilla.Discriminator(cfg)
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    net.hidden[0].weight.data, net.hidden[0].bias.data = weight, torch.zeros(3)
    net.out.weight.data, net.out.bias.data = torch.ones(1, 1), torch.zeros(1)
    x = torch.tensor([[2.0, 5.0], [-4.0, -3.0]])
    assert net(x).tolist() == [5.0, 7.0]


def test_dropout_works_in_training_alone():
    net = vanilla.Discriminator(replace(vanilla.PRESETS["smoke"], dropout=(0.2, 0.5)))
    x = torch.ones(4, 1, 28, 28)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_both_priors_have_mean_0_and_variance_1(prior):
    cfg = replace(vanilla.PRESETS["laptop"], prior=prior)
    z = vanilla.draw_z(cfg, 4000, torch.Generator().manual_seed(0))
    assert z.shape == (4000, cfg.latent_dim)
    assert abs(z.mean()) < 0.01 and abs(z.var() - 1) < 0.01
    assert (z.abs().max() <= math.sqrt(3)) == (prior == "uniform")


def test_sgd_is_annealed_as_published():
    cfg = replace(vanilla.Config(), g_hidden=(8,), d_hidden=(8,), momentum_steps=10)
    gan = vanilla.build(cfg, runtime.start("cpu", 0))
    batch = {"real": torch.zeros(4, 1, 28, 28)}
    for _ in range(5):
        vanilla.train_step(gan, batch, runtime.start("cpu", 0))
    group = gan.opt_g.param_groups[0]
    assert group["lr"] == pytest.approx(0.1 / 1.000004**5, rel=1e-9)
    assert group["momentum"] == pytest.approx(0.6)


def test_the_initial_weights_are_in_the_published_interval():
    gan = vanilla.build(replace(vanilla.Config(), g_hidden=(64,)), runtime.start("cpu", 0))
    for net, width in ((gan.netG, 0.05), (gan.netD, 0.005)):
        for layer in net.modules():
            if isinstance(layer, nn.Linear):
                assert layer.weight.abs().max() <= width and layer.bias.abs().max() == 0
                assert layer.weight.std().item() == pytest.approx(width / math.sqrt(3), rel=0.1)


def test_samples_come_from_the_average_where_there_is_one():
    cfg = replace(vanilla.PLANE["smoke"], ema_decay=0.9)
    gan = vanilla.build(cfg, runtime.start("cpu", 0))
    z = torch.randn(3, 2)
    for weight in gan.netG.parameters():
        weight.data.add_(1.0)
    assert torch.equal(vanilla.sample(gan, 3, z=z), gan.ema.net(z))
    assert not torch.equal(vanilla.sample(gan, 3, z=z), gan.netG(z))


@pytest.mark.parametrize(("step", "penalised"), [(0, True), (1, False), (3, True)])
def test_r1_joins_ds_gradient_in_every_so_manieth_update(step, penalised):
    run = runtime.start("cpu", 0)
    cfg = replace(vanilla.PLANE["smoke"], optimizer="sgd", r1=2.0, r1_every=3)
    real, z = torch.randn(8, 2), torch.randn(8, 2)
    gan = vanilla.build(cfg, run)
    gan.step = step
    gradients = {}
    gan.opt_d.register_step_pre_hook(
        lambda *_: gradients.update({n: w.grad.clone() for n, w in gan.netD.named_parameters()})
    )
    twin = vanilla.networks(cfg)["netD"]
    twin.load_state_dict(gan.netD.state_dict())
    torch.manual_seed(1)
    fake = gan.netG(vanilla.draw_z(cfg, len(z))).detach()
    x = real.clone().requires_grad_(True)
    logits = twin(x)
    loss = vanilla.d_loss(logits, twin(fake))
    if penalised:
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        loss = loss + 2.0 * 3 * slope.square().sum(1).mean() / 2
    loss.backward()

    torch.manual_seed(1)
    vanilla.train_step(gan, {"real": real}, run)
    for name, weight in twin.named_parameters():
        torch.testing.assert_close(gradients[name], weight.grad, rtol=1e-4, atol=1e-6)
    assert not real.requires_grad


def test_a_step_size_that_is_set_by_hand_stays_where_nothing_decays():
    cfg = vanilla.PLANE["smoke"]
    gan = vanilla.build(cfg, runtime.start("cpu", 0))
    gan.opt_g.param_groups[0]["lr"] = 0.0
    before = [weight.clone() for weight in gan.netG.parameters()]
    batch = {"real": torch.randn(cfg.batch_size, 2)}
    for _ in range(2):
        vanilla.train_step(gan, batch, runtime.start("cpu", 0))
    assert all(map(torch.equal, before, gan.netG.parameters()))
