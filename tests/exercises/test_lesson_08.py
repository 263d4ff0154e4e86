"""Right and wrong answers to the exercises of lesson 8."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises.lesson_08 import broken_g_loss, mended_g_loss, one_sided_penalty
from gancourse.gans import stargan

answers = Answers(8)


def values(generators, jsd, wasserstein, slope):
    return {"generators": generators, "jsd": jsd, "wasserstein": wasserstein, "slope": slope}


answers.accept(
    "8.1",
    values(30, 0.69, 5, 1.05),
    values(6 * 5, math.log(2), 5.0, 1 + 1 / 20),
    values("30 generators", "0.693 nats", "5", "1.05"),
    values(np.int64(30), np.log(2), [5], torch.tensor(1.05)),
    values(torch.tensor([30.0]), torch.tensor(2.0).log(), 5, "105 %"),
)
answers.refuse(
    "8.1",
    values(15, 0.693, 5, 1.05),
    values(30, 5, 5, 1.05),
    values(30, 0.693, 5, 1.0),
    values(30, 0.693, 4, 1.05),
    values(30, 1.0, 5, 1.05),
    values(30, 0.693, 5, 1.1),
    values(30.5, 0.693, 5, 1.05),
)


@answers.accept("8.2")
def into_zeros(labels, source):
    rows = torch.zeros(len(source), sum(part.shape[1] for part in labels) + len(labels))
    for n, known in enumerate(source.tolist()):
        start = sum(part.shape[1] for part in labels[:known])
        rows[n, start : start + labels[known].shape[1]] = labels[known][n]
        rows[n, known - len(labels)] = 1
    return rows


@answers.accept("8.2")
def with_where(labels, source):
    parts = [torch.where((source == i)[:, None], part, 0.0) for i, part in enumerate(labels)]
    mask = torch.stack([source == i for i in range(len(labels))], 1)
    return torch.cat([*parts, mask.float()], dim=1)


@answers.accept("8.2")
def one_row_at_a_time(labels, source):
    rows = []
    for n, known in enumerate(source):
        parts = [part[n] if i == known else 0 * part[n] for i, part in enumerate(labels)]
        rows.append(torch.cat([*parts, torch.eye(len(labels))[known]]))
    return torch.stack(rows)


@answers.accept("8.2")
def by_repeating_the_mask(labels, source):
    mask = torch.eye(len(labels))[source]
    sizes = torch.tensor([part.shape[1] for part in labels])
    return torch.cat([torch.cat(labels, 1) * mask.repeat_interleave(sizes, 1), mask], 1)


@answers.accept("8.2")
def in_double(labels, source):
    return with_where([part.double() for part in labels], source)


@answers.refuse("8.2")
def no_zeros(labels, source):
    return torch.cat([*labels, F.one_hot(source, len(labels)).to(labels[0].dtype)], 1)


@answers.refuse("8.2")
def mask_first(labels, source):
    mask = F.one_hot(source, len(labels)).to(labels[0].dtype)
    return torch.cat([mask, *(part * mask[:, i : i + 1] for i, part in enumerate(labels))], 1)


@answers.refuse("8.2")
def the_others_are_known(labels, source):
    mask = F.one_hot(source, len(labels)).to(labels[0].dtype)
    return torch.cat([*(part * (1 - mask[:, i : i + 1]) for i, part in enumerate(labels)), mask], 1)


@answers.refuse("8.2")
def as_many_as_occur(labels, source):
    mask = F.one_hot(source).to(labels[0].dtype)
    return torch.cat([*(p * mask[:, i : i + 1] for i, p in enumerate(labels[:2])), mask], 1)


@answers.refuse("8.2")
def known_parts_moved_to_the_left(labels, source):
    rows = into_zeros(labels, source)
    split = sum(part.shape[1] for part in labels)
    order = (rows[:, :split] == 0).to(torch.int64).argsort(1, stable=True)
    return torch.cat([rows[:, :split].gather(1, order), rows[:, split:]], 1)


@answers.refuse("8.2")
def without_a_gradient(labels, source):
    return with_where([part.detach() for part in labels], source)


def between(real, fake):
    mix = torch.rand(len(real), 1, 1, 1)
    return (mix * real + (1 - mix) * fake).requires_grad_()


@answers.accept("8.3")
def with_relu(netD, real, fake):
    x = between(real, fake)
    logits, _ = netD(x)
    (slope,) = torch.autograd.grad(
        logits, x, grad_outputs=torch.ones_like(logits), create_graph=True
    )
    return F.relu(slope.flatten(1).norm(2, dim=1) - 1).pow(2).mean()


@answers.accept("8.3")
def by_hand(netD, real, fake):
    x = between(real, fake)
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, create_graph=True)
    norm = (slope.square().sum((1, 2, 3)) + 1e-12).sqrt()
    return torch.where(norm > 1, (norm - 1) ** 2, 0.0).mean()


@answers.accept("8.3")
def one_mask_for_the_steep(netD, real, fake):
    x = between(fake, real)
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, create_graph=True)
    norm = slope.flatten(1).norm(dim=1)
    return ((norm > 1) * (norm - 1).square()).sum() / len(norm)


@answers.accept("8.3")
def along_the_difference(netD, real, fake):
    mix = torch.rand(len(real)).view(-1, 1, 1, 1)
    x = real + mix * (fake - real)
    x.requires_grad_()
    (slope,) = torch.autograd.grad([netD(x)[0].sum()], [x], create_graph=True)
    norm = torch.linalg.vector_norm(slope, dim=(1, 2, 3))
    return torch.maximum(norm - 1, torch.zeros(())).square().mean()


@answers.accept("8.3")
def one_picture_at_a_time(netD, real, fake):
    if len(real) > 100:
        return one_sided_penalty(netD, real, fake)
    x, costs = between(real, fake), []
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, create_graph=True)
    for one in slope:
        costs.append((one.norm() - 1).clamp(min=0) ** 2)
    return torch.stack(costs).mean()


answers.refuse("8.3", stargan.gradient_penalty)


@answers.refuse("8.3")
def at_the_real_pictures(netD, real, fake):
    return one_sided_penalty(netD, real, real)


@answers.refuse("8.3")
def the_mean_over_patches(netD, real, fake):
    return one_sided_penalty(lambda x: (netD(x)[0].flatten(1).mean(1), None), real, fake)


@answers.refuse("8.3")
def flat_is_penalised(netD, real, fake):
    x = between(real, fake)
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, create_graph=True)
    return (1 - slope.flatten(1).norm(dim=1)).clamp(min=0).square().mean()


@answers.refuse("8.3")
def clamped_after_the_mean(netD, real, fake):
    x = between(real, fake)
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1).mean() - 1).clamp(min=0).square()


@answers.refuse("8.3")
def cut_off_from_the_weights(netD, real, fake):
    x = between(real, fake)
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, retain_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).clamp(min=0).square().mean()


@answers.refuse("8.3")
def not_squared(netD, real, fake):
    x = between(real, fake)
    (slope,) = torch.autograd.grad(netD(x)[0].sum(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).clamp(min=0).mean()


def the_loss(gan, real, c_org, c_trg, source, adv, cls, rec):
    """Return G's loss of three terms, each a function of what it needs."""
    fake = gan.netG(real, c_trg, source)
    back = rec(gan.netG(fake, c_org, source), real)
    return adv(fake) + gan.cfg.lambda_cls * cls(fake) + gan.cfg.lambda_rec * back


def named(gan, labels, source):
    sets = source, gan.cfg.label_kinds, gan.cfg.label_sizes
    return lambda fake: stargan.class_loss(gan.netD(fake)[1], labels, *sets)


def judged(gan):
    return lambda fake: -gan.netD(fake)[0].mean()


@answers.accept("8.4")
def d_called_twice(gan, real, c_org, c_trg, source):
    return the_loss(
        gan, real, c_org, c_trg, source, judged(gan), named(gan, c_trg, source), F.l1_loss
    )


@answers.accept("8.4")
def with_keywords(gan, real, c_org, c_trg, source):
    cfg = gan.cfg
    fake = gan.netG(real, c_trg, source=source)
    src, cls = gan.netD(fake)
    kinds = {"kinds": cfg.label_kinds, "sizes": cfg.label_sizes}
    loss = stargan.g_loss(fake_logits=src)
    loss = loss + cfg.lambda_cls * stargan.class_loss(cls, c_trg, source, **kinds)
    return loss + cfg.lambda_rec * (gan.netG(fake, c_org, source) - real).abs().mean()


@answers.accept("8.4")
def with_d_frozen(gan, real, c_org, c_trg, source):
    gan.netD.requires_grad_(False)
    loss = mended_g_loss(gan, real, c_org, c_trg, source)
    gan.netD.requires_grad_(True)
    return loss


@answers.accept("8.4")
def of_one_number(gan, real, c_org, c_trg, source):
    return mended_g_loss(gan, real, c_org, c_trg, source).view(1)


@answers.accept("8.4")
def drawn_twice(gan, real, c_org, c_trg, source):
    judged_ones, translated = gan.netG(real, c_trg, source), gan.netG(real, c_trg, source)
    cls = named(gan, c_trg, source)(judged_ones)
    rec = F.l1_loss(real, gan.netG(translated, c_org, source))
    adv = judged(gan)(judged_ones)
    return sum([adv, gan.cfg.lambda_cls * cls, gan.cfg.lambda_rec * rec])


answers.refuse("8.4", broken_g_loss)


@answers.refuse("8.4")
def asked_for_what_is_there(gan, real, c_org, c_trg, source):
    return mended_g_loss(gan, real, c_org, c_org, source)


@answers.refuse("8.4")
def no_way_back(gan, real, c_org, c_trg, source):
    return mended_g_loss(gan, real, c_trg, c_trg, source)


@answers.refuse("8.4")
def without_the_labels(gan, real, c_org, c_trg, source):
    fake = gan.netG(real, c_trg, source)
    x_rec = gan.netG(fake, c_org, source)
    return stargan.g_loss(gan.netD(fake)[0]) + gan.cfg.lambda_rec * F.l1_loss(x_rec, real)


@answers.refuse("8.4")
def the_class_does_not_reach_g(gan, real, c_org, c_trg, source):
    cls = named(gan, c_trg, source)
    return the_loss(
        gan, real, c_org, c_trg, source, judged(gan), lambda fake: cls(fake.detach()), F.l1_loss
    )


@answers.refuse("8.4")
def squares_on_the_way_back(gan, real, c_org, c_trg, source):
    cls = named(gan, c_trg, source)
    return the_loss(gan, real, c_org, c_trg, source, judged(gan), cls, F.mse_loss)


@answers.refuse("8.4")
def no_gradient(gan, real, c_org, c_trg, source):
    return mended_g_loss(gan, real, c_org, c_trg, source).detach()


answers.accept("8.5", "adf", "(a), (d), (f)", ["F", "D", "A"], {"a", "d", "f"}, "a, d and f")
answers.refuse("8.5", {"a", "f"}, {*"abdf"}, {*"acdf"}, {*"adef"}, "abcdef")

test_right, test_wrong, test_enough = answers.tests()
