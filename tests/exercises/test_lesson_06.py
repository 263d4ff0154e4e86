"""Right and wrong answers to the exercises of lesson 6."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse import exercises
from gancourse.exercises import lesson_06
from gancourse.exercises.lesson_06 import broken_step, vary
from gancourse.gans import pix2pix

answers = Answers(6)


def fields(*values):
    names = ("field 2, 1", "logits 2, 1", "field 2, 2, 1", "logits 2, 2, 1", "field of 3s")
    return dict(zip(names, values, strict=True))


answers.accept(
    "6.1",
    fields(16, 30, 34, 14, 23),
    fields(16.0, 30.0, 34.0, 14.0, 23.0),
    fields("16", "30", "34 pixels", "14", "23"),
    fields((16,), [30, 30], 34, 14, 23) | {"logits 2, 1": [30]},
    fields(*np.array([16, 30, 34, 14, 23])),
    fields(*torch.tensor([16, 30, 34, 14, 23])),
)
answers.refuse(
    "6.1",
    fields(10, 32, 22, 16, 15),
    fields(16.9, 30, 34, 14, 23),
    fields(16, 30.5, 34, 14, 23),
    fields(16, 31, 34, 14, 23),
    fields(16, 30, 34, 15, 23),
    fields(16, 30, 34, 14, 34),
    fields(-16, 30, 34, 14, 23),
)


def place(picture, size, generator):
    """Draw a place and whether to mirror, and return the function that cuts there."""
    height, width = picture.shape[1:]
    top = torch.randint(height - size + 1, (), generator=generator)
    left = torch.randint(width - size + 1, (), generator=generator)
    mirror = torch.rand((), generator=generator) < 0.5

    def cut(x):
        piece = x[:, top : top + size, left : left + size]
        return piece.flip(-1) if mirror else piece

    return cut


@answers.accept("6.2")
def one_pair_at_a_time(a, b, size, generator):
    cuts = [place(x, size, generator) for x in a]
    pieces = [[cut(x) for cut, x in zip(cuts, side, strict=True)] for side in (a, b)]
    return tuple(map(torch.stack, pieces))


@answers.accept("6.2")
def joined_along_the_channels(a, b, size, generator):
    both = torch.cat([a, b], 1)
    cut = torch.stack([place(x, size, generator)(x) for x in both])
    return list(cut.split([a.shape[1], b.shape[1]], 1))


@answers.accept("6.2")
def mirrored_before_the_crop(a, b, size, generator):
    mirror = (torch.rand(len(a), generator=generator) < 0.5).view(-1, 1, 1, 1)
    both = torch.cat([a, b], 1)
    both = torch.where(mirror, both.flip(3), both)
    n, _, height, width = both.shape
    tops = torch.randint(0, height - size + 1, (n, 1, 1, 1), generator=generator)
    lefts = torch.randint(0, width - size + 1, (n, 1, 1, 1), generator=generator)
    rows = tops + torch.arange(size).view(1, 1, -1, 1)
    columns = lefts + torch.arange(size).view(1, 1, 1, -1)
    index = (rows * width + columns).expand(-1, both.shape[1], -1, -1).flatten(2)
    return both.flatten(2).gather(2, index).unflatten(2, (size, size)).split([1, 2], 1)


@answers.accept("6.2")
def by_windows(a, b, size, generator):
    windows = torch.cat([a, b], 1).unfold(2, size, 1).unfold(3, size, 1)  # (N, C, h, w, s, s)
    n, c, h, w = windows.shape[:4]
    which = torch.randint(h * w, (n,), generator=generator)
    cut = windows.reshape(n, c, h * w, size, size)[torch.arange(n), :, which]
    mirror = torch.randint(2, (n, 1, 1, 1), generator=generator).bool()
    cut = torch.where(mirror, cut.flip(3), cut)
    return cut[:, : a.shape[1]], cut[:, a.shape[1] :]


@answers.accept("6.2")
def from_a_seed_of_the_generator(a, b, size, generator):
    seed = int(torch.randint(2**31, (), generator=generator))
    return tuple(vary(side, side, size, torch.Generator().manual_seed(seed))[0] for side in (a, b))


@answers.refuse("6.2")
def each_side_for_itself(a, b, size, generator):
    return vary(a, a, size, generator)[0], vary(b, b, size, generator)[0]


@answers.refuse("6.2")
def one_place_for_all(a, b, size, generator):
    top = torch.randint(a.shape[2] - size + 1, (1,), generator=generator).item()
    mirror = (torch.rand(len(a), generator=generator) < 0.5)[:, None, None, None]
    cut = [side[:, :, top : top + size, top : top + size] for side in (a, b)]
    return tuple(torch.where(mirror, side.flip(3), side) for side in cut)


@answers.refuse("6.2")
def never_the_last_place(a, b, size, generator):
    return vary(a[:, :, :-1, :-1], b[:, :, :-1, :-1], size, generator)


@answers.refuse("6.2")
def mirrors_the_input_alone(a, b, size, generator):
    a, b = vary(a, b, size, generator)
    return a.flip(3), b


@answers.refuse("6.2")
def upside_down(a, b, size, generator):
    return tuple(
        x.transpose(2, 3) for x in vary(a.transpose(2, 3), b.transpose(2, 3), size, generator)
    )


@answers.refuse("6.2")
def without_the_generator(a, b, size, generator):
    return vary(a, b, size, torch.Generator().manual_seed(int(torch.randint(1000, ()))))


@answers.refuse("6.2")
def resized(a, b, size, generator):
    return tuple(F.interpolate(x, size=size) for x in vary(a, b, a.shape[2], generator))


@answers.accept("6.3")
def with_where(fake, real, q):
    error = real - fake
    return torch.where(error > 0, 2 * q * error, -2 * (1 - q) * error).mean()


@answers.accept("6.3")
def with_relu(fake, real, q):
    return 2 * (q * F.relu(real - fake) + (1 - q) * F.relu(fake - real)).mean()


@answers.accept("6.3")
def absolute_and_tilt(fake, real, q):
    return F.l1_loss(fake, real) + (2 * q - 1) * (real - fake).mean()


@answers.accept("6.3")
def weighted(fake, real, q):
    weight = (real > fake) * q + (real <= fake) * (1 - q)
    return (2 * weight * (real - fake).abs()).mean()


@answers.accept("6.3")
def sums_of_two_kinds(fake, real, q):
    error = (real - fake).flatten()
    low, high = error.clamp(min=0).sum(), -error.clamp(max=0).sum()
    return 2 * (q * low + (1 - q) * high) / error.numel()


@answers.refuse("6.3")
def the_other_way(fake, real, q):
    return lesson_06.tilted_loss(fake, real, 1 - q)


@answers.refuse("6.3")
def half_of_it(fake, real, q):
    return lesson_06.tilted_loss(fake, real, q) / 2


@answers.refuse("6.3")
def a_heavier_l1(fake, real, q):
    return 2 * q * F.l1_loss(fake, real)


@answers.refuse("6.3")
def tilted_squares(fake, real, q):
    error = real - fake
    return (2 * torch.where(error > 0, q, 1 - q) * error.square()).mean()


@answers.refuse("6.3")
def without_a_gradient(fake, real, q):
    return lesson_06.tilted_loss(fake.detach(), real, q)


@answers.refuse("6.3")
def mean_of_each_kind(fake, real, q):
    error = real - fake
    low, high = error[error > 0], error[error <= 0]
    return 2 * q * low.mean().nan_to_num() - 2 * (1 - q) * high.mean().nan_to_num()


answers.accept("6.4", pix2pix.train_step)


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


@answers.accept("6.4")
def zero_grad_after_the_updates(gan, batch, run):
    return a_step(gan, batch, run, after=True)


@answers.accept("6.4")
def cleared_in_place_of_frozen(gan, batch, run):
    losses = a_step(gan, batch, run, frozen=False)
    gan.opt_d.zero_grad()
    return losses


@answers.accept("6.4")
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


@answers.accept("6.4")
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


answers.refuse("6.4", broken_step)


@answers.refuse("6.4")
def detached_in_g_loss_too(gan, batch, run):
    return a_step(gan, batch, run, adversarial=lambda fake: fake.detach())


@answers.refuse("6.4")
def d_is_not_frozen(gan, batch, run):
    return a_step(gan, batch, run, frozen=False)


@answers.refuse("6.4")
def d_judges_the_real_picture(gan, batch, run):
    return a_step(gan, batch, run, adversarial=lambda fake: batch["target"] + 0 * fake)


@answers.refuse("6.4")
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


@answers.refuse("6.4")
def never_cleared(gan, batch, run):
    gan.opt_g.zero_grad = gan.opt_d.zero_grad = lambda: None
    return pix2pix.train_step(gan, batch, run)


answers.accept(
    "6.5", "abef", "(a), (b), (e), (f)", list("FEBA"), {"a", "b", "e", "f"}, "a b e and f"
)
answers.refuse("6.5", {"a", "b", "e"}, {*"abcef"}, {*"abdef"}, "c", "abcdef")

test_right, test_wrong, test_enough = answers.tests()


def test_a_step_that_leaves_gradients_in_d_is_told_to_freeze_it():
    assert "freeze D" in exercises.find("6.4").check(d_is_not_frozen).detail


def test_a_step_without_the_adversarial_gradient_is_told_so():
    assert "L1 alone" in exercises.find("6.4").check(broken_step).detail
