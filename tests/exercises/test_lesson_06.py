"""Right and wrong answers to the exercises of lesson 6."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse import exercises
from gancourse.exercises import lesson_06
from gancourse.exercises.lesson_06 import broken_step
from gancourse.gans import pix2pix

answers = Answers(6)


@answers.accept("6.1")
def by_log_sigmoid(real_logits, fake_logits):
    return -(F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()) / 2


@answers.accept("6.1")
def by_cross_entropy(real_logits, fake_logits):
    logits = torch.cat([real_logits, fake_logits])
    labels = torch.cat([torch.ones_like(real_logits), torch.zeros_like(fake_logits)])
    return F.binary_cross_entropy_with_logits(logits, labels)


@answers.accept("6.1")
def one_mean(real_logits, fake_logits):
    return F.softplus(torch.stack([-real_logits, fake_logits])).mean()


@answers.accept("6.1")
def picture_by_picture(real_logits, fake_logits):
    pairs = zip(real_logits, fake_logits, strict=True)
    losses = [(F.softplus(-a).mean() + F.softplus(b).mean()) / 2 for a, b in pairs]
    return sum(losses) / len(losses)


@answers.accept("6.1")
def by_logaddexp(real_logits, fake_logits):
    zero = torch.zeros_like(real_logits)
    both = torch.logaddexp(zero, -real_logits) + torch.logaddexp(zero, fake_logits)
    return 0.5 * both.mean()


@answers.refuse("6.1")
def not_halved(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@answers.refuse("6.1")
def sides_exchanged(real_logits, fake_logits):
    return pix2pix.d_loss(fake_logits, real_logits)


@answers.refuse("6.1")
def a_sum_over_patches(real_logits, fake_logits):
    return pix2pix.d_loss(real_logits, fake_logits) * real_logits[0].numel()


@answers.refuse("6.1")
def overflows(real_logits, fake_logits):
    real, fake = real_logits.sigmoid(), fake_logits.sigmoid()
    return -(real.log().mean() + (1 - fake).log().mean()) / 2


@answers.refuse("6.1")
def of_the_mean_logit(real_logits, fake_logits):
    return pix2pix.d_loss(real_logits.mean((1, 2)), fake_logits.mean((1, 2)))


@answers.refuse("6.1")
def least_squares(real_logits, fake_logits):
    return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2


@answers.refuse("6.1")
def fakes_without_a_gradient(real_logits, fake_logits):
    return pix2pix.d_loss(real_logits, fake_logits.detach())


@answers.accept("6.2")
def with_the_functions_of_the_file(netD, x, y, fake, lambda_l1):
    return pix2pix.g_loss(netD(x, fake)) + lambda_l1 * F.l1_loss(fake, y)


@answers.accept("6.2")
def with_labels(netD, x, y, fake, lambda_l1):
    logits = netD(x, fake)
    adv = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    return F.l1_loss(y, fake) * lambda_l1 + adv


@answers.accept("6.2")
def minus_log_d(netD, x, y, fake, lambda_l1):
    return lambda_l1 * (y - fake).abs().mean() - F.logsigmoid(netD(x, fake)).mean()


@answers.accept("6.2")
def with_keywords(netD, x, y, fake, lambda_l1):
    logits = netD(x=x, y=fake)
    return torch.logaddexp(torch.zeros_like(logits), -logits).mean() + lambda_l1 * F.l1_loss(
        input=fake, target=y
    )


@answers.accept("6.2")
def a_mean_of_means(netD, x, y, fake, lambda_l1):
    l1 = (fake - y).abs().flatten(1).mean(1).mean()
    return F.softplus(-netD(x, fake)).flatten(1).mean(1).mean() + lambda_l1 * l1


@answers.refuse("6.2")
def helps_d(netD, x, y, fake, lambda_l1):
    return F.softplus(netD(x, fake)).mean() + lambda_l1 * F.l1_loss(fake, y)


@answers.refuse("6.2")
def d_sees_no_gradient(netD, x, y, fake, lambda_l1):
    return pix2pix.g_loss(netD(x, fake.detach())) + lambda_l1 * F.l1_loss(fake, y)


@answers.refuse("6.2")
def the_pair_turned_round(netD, x, y, fake, lambda_l1):
    return pix2pix.g_loss(netD(fake, x)) + lambda_l1 * F.l1_loss(fake, y)


@answers.refuse("6.2")
def squares(netD, x, y, fake, lambda_l1):
    return pix2pix.g_loss(netD(x, fake)) + lambda_l1 * F.mse_loss(fake, y)


@answers.refuse("6.2")
def distance_to_the_input(netD, x, y, fake, lambda_l1):
    return pix2pix.g_loss(netD(x, fake)) + lambda_l1 * F.l1_loss(fake, x)


@answers.refuse("6.2")
def the_weight_on_both(netD, x, y, fake, lambda_l1):
    return lambda_l1 * (pix2pix.g_loss(netD(x, fake)) + F.l1_loss(fake, y))


@answers.refuse("6.2")
def minimax(netD, x, y, fake, lambda_l1):
    return -F.softplus(netD(x, fake)).mean() + lambda_l1 * F.l1_loss(fake, y)


def fields(*values):
    names = ("field 2, 1", "logits 2, 1", "field 2, 2, 1", "logits 2, 2, 1", "field of 3s")
    return dict(zip(names, values, strict=True))


answers.accept(
    "6.3",
    fields(16, 30, 34, 14, 23),
    fields(16.0, 30.0, 34.0, 14.0, 23.0),
    fields("16", "30", "34 pixels", "14", "23"),
    fields((16,), [30, 30], 34, 14, 23) | {"logits 2, 1": [30]},
    fields(*np.array([16, 30, 34, 14, 23])),
    fields(*torch.tensor([16, 30, 34, 14, 23])),
)
answers.refuse(
    "6.3",
    fields(10, 32, 22, 16, 15),
    fields(16.9, 30, 34, 14, 23),
    fields(16, 30.5, 34, 14, 23),
    fields(16, 31, 34, 14, 23),
    fields(16, 30, 34, 15, 23),
    fields(16, 30, 34, 14, 34),
    fields(-16, 30, 34, 14, 23),
)


@answers.accept("6.4")
def with_where(fake, real, q):
    error = real - fake
    return torch.where(error > 0, 2 * q * error, -2 * (1 - q) * error).mean()


@answers.accept("6.4")
def with_relu(fake, real, q):
    return 2 * (q * F.relu(real - fake) + (1 - q) * F.relu(fake - real)).mean()


@answers.accept("6.4")
def absolute_and_tilt(fake, real, q):
    return F.l1_loss(fake, real) + (2 * q - 1) * (real - fake).mean()


@answers.accept("6.4")
def weighted(fake, real, q):
    weight = (real > fake) * q + (real <= fake) * (1 - q)
    return (2 * weight * (real - fake).abs()).mean()


@answers.accept("6.4")
def sums_of_two_kinds(fake, real, q):
    error = (real - fake).flatten()
    low, high = error.clamp(min=0).sum(), -error.clamp(max=0).sum()
    return 2 * (q * low + (1 - q) * high) / error.numel()


@answers.refuse("6.4")
def the_other_way(fake, real, q):
    return lesson_06.tilted_loss(fake, real, 1 - q)


@answers.refuse("6.4")
def half_of_it(fake, real, q):
    return lesson_06.tilted_loss(fake, real, q) / 2


@answers.refuse("6.4")
def a_heavier_l1(fake, real, q):
    return 2 * q * F.l1_loss(fake, real)


@answers.refuse("6.4")
def tilted_squares(fake, real, q):
    error = real - fake
    return (2 * torch.where(error > 0, q, 1 - q) * error.square()).mean()


@answers.refuse("6.4")
def without_a_gradient(fake, real, q):
    return lesson_06.tilted_loss(fake.detach(), real, q)


@answers.refuse("6.4")
def mean_of_each_kind(fake, real, q):
    error = real - fake
    low, high = error[error > 0], error[error <= 0]
    return 2 * q * low.mean().nan_to_num() - 2 * (1 - q) * high.mean().nan_to_num()


answers.accept("6.5", pix2pix.train_step)


def a_step(gan, batch, run, *, adversarial=lambda t: t, frozen=True, early=False, after=False):
    """Take a step; ``adversarial`` changes what D sees in G's update."""
    x, y, cfg = batch["input"], batch["target"], gan.cfg
    fake = gan.netG(x)
    loss_d = pix2pix.d_loss(gan.netD(x, y), gan.netD(x, fake.detach()))
    if not after:
        gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    if after:
        gan.opt_d.zero_grad()
    gan.netD.requires_grad_(not frozen)
    l1, adv = F.l1_loss(fake, y), pix2pix.g_loss(gan.netD(x, adversarial(fake)))
    if not after:
        gan.opt_g.zero_grad()
    (cfg.lambda_l1 * l1 + cfg.lambda_adv * adv).backward()
    gan.opt_g.step()
    if after:
        gan.opt_g.zero_grad()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": l1.detach()}


@answers.accept("6.5")
def zero_grad_after_the_updates(gan, batch, run):
    return a_step(gan, batch, run, after=True)


@answers.accept("6.5")
def cleared_in_place_of_frozen(gan, batch, run):
    losses = a_step(gan, batch, run, frozen=False)
    gan.opt_d.zero_grad()
    return losses


@answers.accept("6.5")
def gradients_of_g_alone(gan, batch, run):
    x, y, cfg = batch["input"], batch["target"], gan.cfg
    fake = gan.netG(x)
    gan.opt_d.zero_grad(set_to_none=False)
    loss_d = pix2pix.d_loss(gan.netD(x, y), gan.netD(x, fake.detach()))
    loss_d.backward()
    gan.opt_d.step()
    l1, adv = F.l1_loss(fake, y), pix2pix.g_loss(gan.netD(x, fake))
    weights = list(gan.netG.parameters())
    slopes = torch.autograd.grad(cfg.lambda_l1 * l1 + cfg.lambda_adv * adv, weights)
    for weight, slope in zip(weights, slopes, strict=True):
        weight.grad = slope
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": l1.detach()}


@answers.accept("6.5")
def drawn_again_for_g(gan, batch, run):
    x, y, cfg = batch["input"], batch["target"], gan.cfg
    with torch.no_grad():
        fake = gan.netG(x)
    loss_d = (F.softplus(-gan.netD(x, y)).mean() + F.softplus(gan.netD(x, fake)).mean()) / 2
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    gan.netD.requires_grad_(False)
    fake = gan.netG(x)
    l1, adv = (fake - y).abs().mean(), -F.logsigmoid(gan.netD(x, fake)).mean()
    gan.opt_g.zero_grad()
    (cfg.lambda_adv * adv).backward(retain_graph=True)
    (cfg.lambda_l1 * l1).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": l1.detach()}


answers.refuse("6.5", broken_step)


@answers.refuse("6.5")
def detached_in_g_loss_too(gan, batch, run):
    return a_step(gan, batch, run, adversarial=lambda fake: fake.detach())


@answers.refuse("6.5")
def d_is_not_frozen(gan, batch, run):
    return a_step(gan, batch, run, frozen=False)


@answers.refuse("6.5")
def d_judges_the_real_picture(gan, batch, run):
    return a_step(gan, batch, run, adversarial=lambda fake: batch["target"] + 0 * fake)


@answers.refuse("6.5")
def without_l1(gan, batch, run):
    x, y = batch["input"], batch["target"]
    fake = gan.netG(x)
    gan.opt_d.zero_grad()
    loss_d = pix2pix.d_loss(gan.netD(x, y), gan.netD(x, fake.detach()))
    loss_d.backward()
    gan.opt_d.step()
    gan.netD.requires_grad_(False)
    adv = pix2pix.g_loss(gan.netD(x, fake))
    gan.opt_g.zero_grad()
    adv.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/l1": F.l1_loss(fake, y).detach()}


@answers.refuse("6.5")
def never_cleared(gan, batch, run):
    gan.opt_g.zero_grad = gan.opt_d.zero_grad = lambda: None
    return pix2pix.train_step(gan, batch, run)


answers.accept(
    "6.6", "abef", "(a), (b), (e), (f)", list("FEBA"), {"a", "b", "e", "f"}, "a b e and f"
)
answers.refuse("6.6", {"a", "b", "e"}, {*"abcef"}, {*"abdef"}, "c", "abcdef")

test_right, test_wrong, test_enough = answers.tests()


def test_a_step_that_leaves_gradients_in_d_is_told_to_freeze_it():
    assert "freeze D" in exercises.find("6.5").check(d_is_not_frozen).detail


def test_a_step_without_the_adversarial_gradient_is_told_so():
    assert "L1 alone" in exercises.find("6.5").check(broken_step).detail
