"""Right and wrong answers to the exercises of lesson 10."""

import itertools
import math

import numpy as np
import torch
from answers import Answers
from scipy.optimize import linear_sum_assignment

from gancourse.exercises.lesson_10 import broken_penalty, mended_penalty, w1
from gancourse.gans import vanilla, wgan, wgan_gp

answers = Answers(10)


@answers.accept("10.1")
def by_assignment(a, b):
    ways = (a[:, None] - b[None]).abs()
    rows, columns = linear_sum_assignment(ways.detach().numpy())
    return ways[rows, columns].mean()


@answers.accept("10.1")
def between_the_distribution_functions(a, b):
    points, order = torch.cat([a, b]).sort()
    share = torch.where(order < len(a), 1.0, -1.0).cumsum(0) / len(a)
    return (share[:-1].abs() * points.diff()).sum()


@answers.accept("10.1")
def largest_first(a, b):
    return (a.topk(len(a)).values - b.topk(len(b)).values).abs().sum() / len(a)


@answers.accept("10.1")
def in_a_loop(a, b):
    total = 0
    for x, y in zip(sorted(a), sorted(b), strict=True):
        total = total + abs(x - y)
    return total / len(a)


@answers.accept("10.1")
def by_indices(a, b):
    return (a[a.argsort()] - b[b.argsort()]).norm(p=1) / a.numel()


@answers.refuse("10.1")
def as_they_come(a, b):
    return (a - b).abs().mean()


@answers.refuse("10.1")
def of_the_means(a, b):
    return (a.mean() - b.mean()).abs()


@answers.refuse("10.1")
def the_sum_of_ways(a, b):
    return len(a) * w1(a, b)


@answers.refuse("10.1")
def w2(a, b):
    return (a.sort().values - b.sort().values).square().mean().sqrt()


@answers.refuse("10.1")
def the_nearest_of_the_other_set(a, b):
    return (a[:, None] - b[None]).abs().amin(1).mean()


@answers.refuse("10.1")
def without_a_gradient(a, b):
    return w1(a.detach(), b.detach())


answers.accept("10.2", wgan.train_step)


def a_step(gan, batch, run, *, d_loss=wgan.d_loss, g_loss=wgan.g_loss, clip="after", turn=1):
    """Take a step with changes."""
    cfg, real = gan.cfg, batch["real"]

    def clip_now():
        with torch.no_grad():
            for weight in gan.netD.parameters():
                weight.copy_(weight.clamp(-cfg.clip, cfg.clip))

    if clip == "before":
        clip_now()
    fake = gan.netG(wgan.draw_z(cfg, len(real)))
    loss = d_loss(gan.netD(real), gan.netD(fake.detach()))
    gan.opt_d.zero_grad()
    loss.backward()
    gan.opt_d.step()
    if clip == "after":
        clip_now()
    losses = {"D/adv": loss.detach()}
    if (gan.step + turn) % cfg.n_critic == 0:
        loss = g_loss(gan.netD(gan.netG(wgan.draw_z(cfg, len(real)))))
        gan.opt_g.zero_grad()
        loss.backward()
        gan.opt_g.step()
        losses["G/adv"] = loss.detach()
    if clip == "at the end":
        clip_now()
    return losses


@answers.accept("10.2")
def one_batch_of_both(gan, batch, run):
    def d_loss(real, fake):
        scores, signs = torch.cat([real, fake]), torch.tensor([-1.0] * 8 + [1.0] * 8)
        return scores @ signs / 8

    return a_step(gan, batch, run, d_loss=d_loss)


@answers.accept("10.2")
def two_backward_calls(gan, batch, run):
    cfg, real = gan.cfg, batch["real"]
    gan.opt_d.zero_grad()
    with torch.no_grad():
        fake = gan.netG(wgan.draw_z(cfg, len(real)))
    (-gan.netD(real)).mean().backward()
    loss = gan.netD(fake).mean()
    loss.backward()
    gan.opt_d.step()
    wgan.clip_weights(gan.netD, cfg.clip)
    if gan.step % cfg.n_critic == cfg.n_critic - 1:
        gan.opt_g.zero_grad()
        gan.netD(gan.netG(wgan.draw_z(cfg, len(real)))).mean().neg().backward()
        gan.opt_g.step()
    return {"D/adv": loss.detach()}


@answers.accept("10.2")
def clip_by_data(gan, batch, run):
    step, cfg = gan.opt_d.step, gan.cfg

    def step_and_clip():
        step()
        for weight in gan.netD.parameters():
            weight.data = torch.minimum(weight.data, torch.tensor(cfg.clip)).clamp(min=-cfg.clip)

    gan.opt_d.step = step_and_clip
    losses = a_step(gan, batch, run, clip="never")
    gan.opt_d.step = step
    return losses


@answers.accept("10.2")
def as_sums(gan, batch, run):
    return a_step(
        gan,
        batch,
        run,
        d_loss=lambda real, fake: (fake - real).sum() / len(real),
        g_loss=lambda fake: -fake.sum() / len(fake),
    )


@answers.refuse("10.2")
def without_clipping(gan, batch, run):
    return a_step(gan, batch, run, clip="never")


@answers.refuse("10.2")
def clipped_before_the_update(gan, batch, run):
    return a_step(gan, batch, run, clip="before")


@answers.refuse("10.2")
def clipped_after_g(gan, batch, run):
    return a_step(gan, batch, run, clip="at the end")


@answers.refuse("10.2")
def signs_swapped(gan, batch, run):
    return a_step(gan, batch, run, d_loss=lambda real, fake: real.mean() - fake.mean())


@answers.refuse("10.2")
def g_every_time(gan, batch, run):
    cfg = gan.cfg
    gan.cfg = type(cfg)(**{**vars(cfg), "n_critic": 1})
    losses = a_step(gan, batch, run)
    gan.cfg = cfg
    return losses


@answers.refuse("10.2")
def g_in_the_first_step(gan, batch, run):
    return a_step(gan, batch, run, turn=0)


@answers.refuse("10.2")
def still_the_cross_entropy(gan, batch, run):
    return a_step(gan, batch, run, d_loss=vanilla.d_loss, g_loss=vanilla.g_loss)


@answers.refuse("10.2")
def g_lowers_its_scores(gan, batch, run):
    return a_step(gan, batch, run, g_loss=lambda fake: fake.mean())


answers.accept("10.3", wgan_gp.gradient_penalty)


def slopes(netD, real, fake):
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1))
    x_hat = torch.lerp(real, fake, epsilon).requires_grad_()
    return torch.autograd.grad(netD(x_hat).sum(), x_hat, create_graph=True)[0].flatten(1)


@answers.accept("10.3")
def multiplied_out(netD, real, fake):
    square = slopes(netD, real, fake).square().sum(1)
    return (square - 2 * (square + 1e-12).sqrt() + 1).mean()


@answers.accept("10.3")
def one_sample_at_a_time(netD, real, fake):
    epsilon = torch.rand(len(real), *[1] * (real.dim() - 1))
    x_hat = ((1 - epsilon) * real + epsilon * fake).requires_grad_()
    scores = netD(x_hat)
    gradients = torch.autograd.grad(scores, x_hat, torch.ones_like(scores), create_graph=True)[0]
    return torch.stack([(g.flatten().norm() - 1) ** 2 for g in gradients]).mean()


@answers.accept("10.3")
def summed(netD, real, fake):
    norm = slopes(netD, real, fake).norm(2, dim=1)
    return ((norm - 1) ** 2).sum() / len(real)


@answers.accept("10.3")
def by_mse(netD, real, fake):
    norm = torch.linalg.vector_norm(slopes(netD, real, fake), dim=1)
    return torch.nn.functional.mse_loss(norm, torch.ones_like(norm))


answers.refuse("10.3", broken_penalty)


@answers.refuse("10.3")
def root_of_zero(netD, real, fake):
    return (slopes(netD, real, fake).square().sum(1).sqrt() - 1).square().mean()


@answers.refuse("10.3")
def one_norm_for_the_batch(netD, real, fake):
    return (slopes(netD, real, fake).norm() / len(real) ** 0.5 - 1) ** 2


@answers.refuse("10.3")
def of_the_mean_norm(netD, real, fake):
    return (slopes(netD, real, fake).norm(dim=1).mean() - 1) ** 2


@answers.refuse("10.3")
def of_the_mean_score(netD, real, fake):
    return mended_penalty(lambda x: netD(x) / len(x), real, fake)


@answers.refuse("10.3")
def at_real_samples(netD, real, fake):
    return mended_penalty(netD, real, real)


@answers.refuse("10.3")
def cut_off(netD, real, fake):
    return mended_penalty(netD, real, fake).detach()


@answers.refuse("10.3")
def one_side(netD, real, fake):
    return (slopes(netD, real, fake).norm(dim=1) - 1).clamp(min=0).square().mean()


@answers.accept("10.4")
def by_bisection(told, lambda_gp):
    low, high = 0.0, told
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle + middle**2 / (2 * lambda_gp) < told else (low, middle)
    return low


@answers.accept("10.4")
def without_cancellation(told, lambda_gp):
    return 2 * told / (1 + math.sqrt(1 + 2 * told / lambda_gp))


@answers.accept("10.4")
def by_numpys_roots(told, lambda_gp):
    return max(np.roots([1 / (2 * lambda_gp), 1, -told]).real)


@answers.accept("10.4")
def as_a_tensor(told, lambda_gp):
    slope = torch.tensor(1 + 2 * told / lambda_gp, dtype=torch.float64).sqrt()
    return lambda_gp * (slope - 1)


@answers.accept("10.4")
def by_newton(told, lambda_gp):
    w = told
    for _ in itertools.repeat(None, 50):
        w -= (w + w**2 / (2 * lambda_gp) - told) / (1 + w / lambda_gp)
    return f"{w:.6f}"


@answers.refuse("10.4")
def as_told(told, lambda_gp):
    return told


@answers.refuse("10.4")
def divided_by_its_own_slope(told, lambda_gp):
    return told / (1 + told / (2 * lambda_gp))


@answers.refuse("10.4")
def a_slope_of_one_plus_w_over_lambda(told, lambda_gp):
    return (math.sqrt(lambda_gp**2 + 4 * lambda_gp * told) - lambda_gp) / 2


@answers.refuse("10.4")
def the_penalty_counted_too(told, lambda_gp):  # of W + W^2 / (4 lambda), the whole loss
    return 2 * (math.sqrt(lambda_gp**2 + lambda_gp * told) - lambda_gp)


@answers.refuse("10.4")
def the_other_root(told, lambda_gp):
    return -math.sqrt(lambda_gp**2 + 2 * lambda_gp * told) - lambda_gp


@answers.refuse("10.4")
def for_a_weight_of_10(told, lambda_gp):
    return math.sqrt(100 + 20 * told) - 10


answers.accept("10.5", "ace", "(a), (c), (e)", ["E", "C", "A"], {"a", "c", "e"}, "a, c and e")
answers.refuse("10.5", {"a", "b", "c", "e"}, {"a", "c", "d", "e"}, {"a", "e"}, "abcdef", "f")

test_right, test_wrong, test_enough = answers.tests()
