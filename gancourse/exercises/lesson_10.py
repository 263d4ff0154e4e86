"""The exercises of lesson 10, WGAN and WGAN-GP."""

import math
from functools import partial

import torch

from gancourse.exercises import exercise, expect, expect_same, multiple_choice, steps
from gancourse.exercises.reading import number
from gancourse.gans import vanilla, wgan
from gancourse.training import runtime


@exercise("10.1", "Implement: the distance of two sets of numbers")
def on_a_line(w1):
    """Expect ``w1(a, b)``."""
    a, b = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([7.0, 5.0, 6.0])
    yield "sets that are 5 apart have the distance 5, in whatever order they are given"
    expect(w1(a, b), 5.0)
    yield "a set is at the distance 0 from itself, and from itself in another order"
    expect(w1(a, a), 0.0)
    expect(w1(a, a.flip(0)), 0.0)
    yield "ways do not cancel: from -1 and 1 to 0 and 0 it is 1"
    expect(w1(torch.tensor([-1.0, 1.0]), torch.zeros(2)), 1.0)
    yield "it is the mean length of a way, not the sum and not the square"
    expect(w1(torch.zeros(4), torch.tensor([0.0, 0.0, 0.0, 4.0])), 1.0)
    yield "values and gradients are right for any numbers"
    for n in (1, 2, 9):
        expect_same(w1, on_a_line.answer, 3 * torch.randn(n), 3 * torch.randn(n) + 1)


@on_a_line.solution
def w1(a, b):
    """Return W1 of two sets of as many numbers: the k-th smallest moves to the k-th smallest."""
    return (a.sort().values - b.sort().values).abs().mean()


@exercise("10.2", "Modify: the step, from lesson 1's")
def clipped_step(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = wgan.Config(
        sample_shape=(2,), latent_dim=3, hidden=(6, 6), clip=0.2, n_critic=2, batch_size=8
    )
    gan, twin = wgan.build(cfg, run), wgan.build(cfg, run)
    first, second = torch.randn(8, 2), torch.randn(8, 2) + 1

    def taken(number, real):
        gan.step = number
        return steps.take(step, gan, [{"real": real}], run)[0]

    def loss_d(nets, z, real=first, form=wgan.d_loss):
        return form(nets.netD(real), nets.netD(nets.netG(z)))

    def loss_g(nets, z, form=wgan.g_loss):
        return form(nets.netD(nets.netG(z)))

    def largest(net):
        return max(weight.abs().max().item() for weight in net.parameters())

    yield "it can be called like train_step"
    done = taken(0, first)
    yield "D minimises the mean score of fakes minus that of real samples"
    hints = {
        "the sign is wrong: D would give fakes the higher scores": lambda nets, z: -loss_d(nets, z),
        "this is still the cross-entropy": partial(loss_d, form=vanilla.d_loss),
        "there is a sigmoid: a critic gives scores of any size": partial(
            loss_d, form=lambda real, fake: wgan.d_loss(real.sigmoid(), fake.sigmoid())
        ),
    }
    steps.expect_update(done, "D", twin, loss_d, hints)

    yield "with n_critic = 2, G stays as it is in the first step"
    players = [update.player for update in done.updates]
    assert "G" not in players, "G is updated where (gan.step + 1) % n_critic is 0"

    yield "after the step no weight or bias of D is beyond gan.cfg.clip"
    most = largest(gan.netD)
    assert most <= cfg.clip + 1e-6, f"the largest is {most:.3f}, the limit here {cfg.clip}"

    yield "weights within the limit stay as the optimizer left them"
    (update,) = done.updates
    before = torch.cat([w.flatten() for w in update.before["netD"].values()])
    now = torch.cat([w.detach().flatten() for w in gan.netD.parameters()])
    free = before - steps.RATE * update.change
    expect(now, free.clamp(-cfg.clip, cfg.clip), atol=1e-5)

    yield "the second step updates D again, then G, by minus the mean score of fakes"
    again = taken(1, second)
    steps.expect_update(again, "D", twin, partial(loss_d, real=second))
    hints = {
        "the sign is wrong: G would lower the scores of its fakes": lambda nets, z: (
            -loss_g(nets, z)
        ),
        "this is still the cross-entropy": partial(loss_g, form=vanilla.g_loss),
    }
    steps.expect_update(again, "G", twin, loss_g, hints)

    yield "G meets a critic that is clipped"
    (update,) = [update for update in again.updates if update.player == "G"]
    most = max(weight.abs().max().item() for weight in update.before["netD"].values())
    assert most <= cfg.clip + 1e-6, "clip before G's update: D's weights are beyond the limit there"
    most = largest(gan.netD)
    assert most <= cfg.clip + 1e-6, f"after the second step a weight of D is {most:.3f}"


@clipped_step.solution
def my_step(gan, batch, run):
    """Update D and clip it; update G in the last of every ``n_critic`` steps."""
    cfg, real = gan.cfg, batch["real"]
    fake = gan.netG(wgan.draw_z(cfg, len(real), device=run.device))
    loss_d = gan.netD(fake.detach()).mean() - gan.netD(real).mean()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    with torch.no_grad():
        for weight in gan.netD.parameters():
            weight.clamp_(-cfg.clip, cfg.clip)
    losses = {"D/adv": loss_d.detach()}
    if (gan.step + 1) % cfg.n_critic == 0:
        loss_g = -gan.netD(gan.netG(wgan.draw_z(cfg, len(real), device=run.device))).mean()
        gan.opt_g.zero_grad()
        loss_g.backward()
        gan.opt_g.step()
        losses["G/adv"] = loss_g.detach()
    return losses


def broken_penalty(netD, real, fake):
    """Return the gradient penalty; it has two mistakes, and runs."""
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1))
    x_hat = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(netD(x_hat).sum(), x_hat, create_graph=True)
    norm = gradient.square().sum(1).sqrt()
    return (norm - 1).square().mean()


@exercise("10.3", "Diagnose: a penalty with two mistakes")
def mended(penalty):
    """Expect ``penalty(netD, real, fake)``."""
    real, fake = torch.rand(6, 3, 4, 4), torch.rand(6, 3, 4, 4)
    direction = torch.randn(3, 4, 4)
    direction = direction / direction.norm()

    def linear(x, w):
        return (x * w).flatten(1).sum(1)

    for slope in (0.5, 1.0, 3.0):
        yield f"a linear critic of slope {slope} costs (slope - 1)^2"
        got = number(penalty(partial(linear, w=slope * direction), real, fake))
        by_pixel = (slope * direction).square().sum(0).sqrt()
        wrong = (by_pixel - 1).square().mean().item()
        hint = "a picture has one norm, over all its numbers: yours is of each pixel's channels"
        assert slope == 1 or abs(got - wrong) > 1e-4, hint
        assert abs(got - (slope - 1) ** 2) < 1e-4, f"expected {(slope - 1) ** 2}, got {got:.4f}"

    yield "each sample has its own slope; the mean is taken over the costs, not over the slopes"
    sizes = torch.tensor([0.0, 1.0, 2.0, 3.0, 1.0, 1.0]).view(-1, 1, 1, 1)
    expect(penalty(partial(linear, w=sizes * direction), real, fake), (1 + 0 + 1 + 4) / 6)

    yield "a constant that is added to D changes nothing"
    moved = penalty(lambda x: linear(x, 3 * direction) + 7, real, fake)
    expect(moved, 4.0, atol=1e-4)

    yield "it works for points, (N, 2), as well"
    w = torch.tensor([3.0, 4.0])
    expect(penalty(lambda x: x @ w, torch.rand(5, 2), torch.rand(5, 2)), 16.0, atol=1e-4)

    yield "the slope is taken at random places between real and fake"
    ends = torch.full((4000, 1, 1, 1), 3.0), torch.zeros(4000, 1, 1, 1)
    expect(penalty(lambda x: linear(x, x) / 2, *ends), 1.0, atol=0.06)  # the mean of (x - 1)^2

    yield "its gradient for the critic's weights is right"

    def cost(w):
        return penalty(lambda x: linear(x, w), real, fake)

    for slope in (0.5, 3.0):
        expect_same(cost, lambda w: (w.norm() - 1) ** 2, slope * direction, atol=1e-4)

    yield "where the slope is 0, the gradient is a number"
    flat = torch.zeros(3, 4, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(cost(flat), flat)
    assert slope.isfinite().all(), "it is NaN: the derivative of a square root at 0 is infinite"


@mended.solution
def mended_penalty(netD, real, fake):
    """Return the mean of (|gradient| - 1)^2, with one norm a sample."""
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1))
    x_hat = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(netD(x_hat).sum(), x_hat, create_graph=True)
    norm = gradient.flatten(1).norm(dim=1)  # its derivative at 0 is 0
    return (norm - 1).square().mean()


@exercise("10.4", "Derive: from the critic's loss to the distance")
def from_the_loss(distance):
    """Expect ``distance(told, lambda_gp)``."""

    def told(w, weight):
        slopes = torch.linspace(0, 40, 400_001, dtype=torch.float64)
        best = slopes[(slopes * w - weight * (slopes - 1) ** 2).argmax()].item()
        return best * w

    def expect_distance(w, weight):
        got = distance(told(w, weight), weight)
        if got is None or got is ...:
            raise NotImplementedError
        got = number(got)
        assert abs(got - told(w, weight)) > 1e-3 or w < 0.01, (
            "that is what the critic says; its slope is above 1"
        )
        assert abs(got - w) < 2e-3, f"the critic says {told(w, weight):.3f}, you {got:.3f}"

    yield "with a weight of 10 and W1 = 1 the critic says 1.05"
    expect_distance(1.0, 10.0)
    yield "with a weight of 0.1 and W1 = 1 it says 6"
    expect_distance(1.0, 0.1)
    yield "where it says 0, the distance is 0"
    expect_distance(0.0, 0.1)
    yield "it is right for other distances and weights"
    for w, weight in ((0.07, 0.1), (0.5, 0.1), (2.0, 1.0), (3.0, 10.0)):
        expect_distance(w, weight)


@from_the_loss.solution
def distance(told, lambda_gp):
    """Return W1, given what a critic with the slope 1 + W1 / (2 lambda) says."""
    # The best slope s of s W - lambda (s - 1)^2 is 1 + W / (2 lambda). The critic says s W, so
    # told = W + W^2 / (2 lambda), a quadratic equation for W. With lambda = 10 and W = 1 it says
    # 1.05, which is 5 % too much; with lambda = 0.1 it says 6.
    return math.sqrt(lambda_gp**2 + 2 * lambda_gp * told) - lambda_gp


authors_code = multiple_choice(
    "10.5",
    "Read: what the authors ran",
    "abcdef",
    right="ace",
    hints={
        "b": "compare the place of clamp_ in the loop with line 7 of algorithm 1",
        "d": "which of the two backward calls gets the 1, and which the -1?",
        "f": "read the arguments of AdamOptimizer in the branch for wgan-gp",
    },
)
authors_code.solution(
    ["a", "c", "e"],
    "G's first 25 updates, and each 500th, come after 100 updates of D (a). The weights are "
    "clipped at the beginning of an update, so that G meets what the last one left (not b). The "
    "DCGAN critic has batch norm (c). The critic descends on its score of real pictures: it gives "
    "these the lower scores, and G lowers those of its fakes (not d). Pictures are rows of 784 "
    "numbers, and the norm is taken over the row (e). Adam has a first decay rate of 0.5 in the "
    "program and 0 in algorithm 1 (not f).",
)
