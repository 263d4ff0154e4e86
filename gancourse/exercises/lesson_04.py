"""The exercises of lesson 4: the auxiliary classifier GAN."""

import math
from dataclasses import replace
from functools import partial
from itertools import combinations

import torch
import torch.nn.functional as F

from gancourse.exercises import (
    exercise,
    expect,
    expect_names,
    expect_number,
    expect_same,
    multiple_choice,
    steps,
)
from gancourse.gans import acgan
from gancourse.training import runtime


@exercise("4.1", "Predict: values of the class loss")
def class_losses(answer):
    """Expect a dict of three numbers."""
    far = torch.full((1, 10), -50.0)
    far[0, 0] = 50.0
    label = torch.tensor([0])
    expected = {
        "no_idea": acgan.class_loss(torch.zeros(1, 10), label),
        "sure_and_right": acgan.class_loss(far, label),
        "softmax_twice": acgan.class_loss(far.softmax(1), label),
    }
    yield "the answer names no_idea, sure_and_right and softmax_twice"
    expect_names(answer, expected)
    hints = {
        "no_idea": "every class has the probability 1/10: what is minus its logarithm?",
        "sure_and_right": "the right class has the probability 1",
        "softmax_twice": "the second softmax sees the ten numbers 1, 0, 0, ..., 0 as logits",
    }
    for name, value in expected.items():
        yield f"{name} is right to two decimals"
        expect_number(answer[name], float(value), hints[name])


class_losses.solution(
    {"no_idea": 2.303, "sure_and_right": 0.0, "softmax_twice": 1.461},
    "Without any idea each of ten classes has the probability 1/10: log 10 = 2.303. If D is sure "
    "and right, the loss is 0. With a softmax before the cross-entropy the logits of the sure "
    "answer are 1, 0, ..., 0, so the right class gets e / (e + 9) = 0.232 at best, and the loss "
    "cannot fall below log(1 + 9 / e) = 1.461.",
)


@exercise("4.2", "Implement: pictures without a label")
def missing_labels(partial_class_loss):
    """Expect ``partial_class_loss(class_logits, labels)``; the label -1 means unknown."""
    right, logits = missing_labels.answer, torch.randn(6, 10)
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    yield "if all labels are known it is class_loss, and so is its gradient"
    expect_same(partial_class_loss, acgan.class_loss, logits, labels)

    some = torch.tensor([3, -1, 4, -1, -1, 9])
    yield "it is the mean over the pictures with a label"
    expect(partial_class_loss(logits, some), right(logits, some))

    yield "only the pictures with a label get a gradient"
    expect_same(partial_class_loss, right, logits, some)

    yield "for a batch without any label it is 0, not NaN"
    expect_same(partial_class_loss, right, logits, torch.full((6,), -1))

    yield "it is right for other sizes of batch and numbers of classes"
    for n, k in ((1, 3), (9, 2)):
        expect_same(partial_class_loss, right, 5 * torch.randn(n, k), torch.randint(-1, k, (n,)))

    yield "the argument labels is not changed"
    given = some.clone()
    partial_class_loss(logits, given)
    assert torch.equal(given, some), "it was changed in place"


@missing_labels.solution
def partial_class_loss(class_logits, labels):
    """Average the cross-entropy over the pictures that have a label."""
    known = (labels >= 0).sum().clamp(min=1)
    return F.cross_entropy(class_logits, labels, ignore_index=-1, reduction="sum") / known


@exercise("4.3", "Implement: how much of the style z decides, with gaps")
def agreement_of_style(agreement):
    """Expect ``agreement(values)``: (Z, C), for each z and class a measure of style, or NaN."""
    style, noise = torch.randn(400, 1), torch.randn(400, 5)
    yield "it is 1 if z alone decides the style"
    expect_number(agreement(style.expand(-1, 5).clone()), 1, "two equal columns have 1")

    yield "the mean and the spread of each class do not change it"
    shifted = style * torch.tensor([1.0, 2.0, 0.5, 3.0, 1.5]) + torch.arange(5.0)
    hint = "subtract each class's mean, and divide by its standard deviation"
    expect_number(agreement(shifted), 1, hint, atol=1e-4)

    yield "it is about 0 if the classes are independent"
    hint = "is a class compared with itself?"
    expect_number(agreement(noise + 10 * torch.arange(5.0)), 0, hint, atol=0.1)

    yield "it is -1 if two classes are the opposite of each other"
    hint = "the sign of a correlation counts"
    expect_number(agreement(torch.cat([style, -style], 1)), -1, hint, atol=1e-3)

    yield "a z at which no class has a value changes nothing"
    values = style + noise
    gaps = torch.cat([values, torch.full((3, 5), math.nan)])
    full = agreement_of_style.answer(values).item()
    expect_number(agreement(gaps), full, "leave the NaN out of each mean", atol=1e-4)

    yield "each two classes are compared over all z at which both have a value"
    gaps = values[:60].where(torch.rand(60, 5) > 0.3, math.nan)
    hint = "a gap of one class must not cost a value of two others, nor count as a number"
    expect_number(agreement(gaps), agreement_of_style.answer(gaps).item(), hint, atol=1e-4)


@agreement_of_style.solution
def agreement(values):
    """Return the mean correlation of two different classes over the same z: (Z, C) to ()."""
    found = []
    for a, b in combinations(values.unbind(1), 2):
        both = a.isfinite() & b.isfinite()
        found.append(torch.corrcoef(torch.stack([a[both], b[both]]))[0, 1])
    return torch.stack(found).mean()


def broken_step(gan, batch, run):
    """Update D and G; in one line of it something is lost."""
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    wanted = torch.randint(cfg.num_classes, labels.shape, device=run.device)
    with run.autocast():
        fake = gan.netG(acgan.draw_z(cfg, len(real), device=run.device), wanted)
        real_logits, real_classes = gan.netD(real)
        fake_logits, fake_classes = gan.netD(fake.detach())
        adv_d = acgan.d_loss(real_logits, fake_logits)
        class_d = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, wanted)
    gan.opt_d.zero_grad()
    (adv_d + cfg.lambda_class * class_d).backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        logits, _ = gan.netD(fake)
        _, classes = gan.netD(fake.detach())
        adv_g, class_g = acgan.g_loss(logits), acgan.class_loss(classes, wanted)
    gan.opt_g.zero_grad()
    (adv_g + cfg.lambda_class * class_g).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {
        "D/adv": adv_d.detach(),
        "D/class": class_d.detach(),
        "G/adv": adv_g.detach(),
        "G/class": class_g.detach(),
    }


@exercise("4.4", "Diagnose: a generator that ignores the class")
def mended(step):
    """Expect a ``train_step``."""
    run = runtime.start("cpu", 0)
    cfg = replace(acgan.PRESETS["smoke"], image_size=16, ema_decay=0.0, lambda_class=0.7)
    gan, twin = acgan.build(cfg, run), acgan.build(cfg, run)
    batches = [
        {"real": torch.rand(16, 1, 16, 16) * 2 - 1, "labels": torch.randint(10, (16,))}
        for _ in range(2)
    ]
    yield "it can be called like train_step"
    done = steps.take(step, gan, batches, run)

    def loss_d(nets, z, wanted, real, labels, fake_labels=None):
        real_logits, real_classes = nets.netD(real)
        fake_logits, fake_classes = nets.netD(nets.netG(z, wanted))
        asked = wanted if fake_labels is None else fake_labels
        classes = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, asked)
        return acgan.d_loss(real_logits, fake_logits) + cfg.lambda_class * classes

    def loss_g(nets, z, wanted, labels=None):
        logits, classes = nets.netD(nets.netG(z, wanted))
        asked = wanted if labels is None else labels
        return acgan.g_loss(logits) + cfg.lambda_class * acgan.class_loss(classes, asked)

    def adversarial(nets, z, wanted):
        return acgan.g_loss(nets.netD(nets.netG(z, wanted))[0])

    for one, batch, which in zip(done, batches, ("first", "second"), strict=True):
        labels = batch["labels"]
        yield f"D's {which} update is that of train_step"
        text = "D learns the labels of the real pictures for fakes of other classes"
        mistakes = {text: partial(loss_d, **batch, fake_labels=labels)}
        steps.expect_update(one, "D", twin, partial(loss_d, **batch), mistakes)

        yield f"G's {which} update follows both losses, for the classes that G was given"
        text = "the class loss asks for the labels of the real pictures"
        mistakes = {text: partial(loss_g, labels=labels)}
        mistakes["no gradient of the class loss reaches G"] = adversarial
        steps.expect_update(one, "G", twin, loss_g, mistakes)


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; the gradient of the class loss passes through D into G."""
    cfg, real, labels = gan.cfg, batch["real"], batch["labels"]
    wanted = torch.randint(cfg.num_classes, labels.shape, device=run.device)
    with run.autocast():
        fake = gan.netG(acgan.draw_z(cfg, len(real), device=run.device), wanted)
        real_logits, real_classes = gan.netD(real)
        fake_logits, fake_classes = gan.netD(fake.detach())
        adv_d = acgan.d_loss(real_logits, fake_logits)
        class_d = acgan.class_loss(real_classes, labels) + acgan.class_loss(fake_classes, wanted)
    gan.opt_d.zero_grad()
    (adv_d + cfg.lambda_class * class_d).backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    with run.autocast():
        logits, classes = gan.netD(fake)  # not detached
        adv_g, class_g = acgan.g_loss(logits), acgan.class_loss(classes, wanted)
    gan.opt_g.zero_grad()
    (adv_g + cfg.lambda_class * class_g).backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {
        "D/adv": adv_d.detach(),
        "D/class": class_d.detach(),
        "G/adv": adv_g.detach(),
        "G/class": class_g.detach(),
    }


the_paper = multiple_choice(
    "4.5",
    "Read: what the paper measured",
    "abcde",
    right="ace",
    hints={
        "b": "in section 4.2, with which class of the training data is each class compared?",
        "d": "in section 4.3, what is the sign of the correlation?",
    },
)
the_paper.solution(
    ["a", "c", "e"],
    "Section 4: 100 models of ten classes each, since more classes made the samples worse "
    "(appendix B): (a). Section 4.2 compares each class with the *least* diverse class of the "
    "training data, MS-SSIM 0.25, and not with its own: (c) and not (b). Section 4.3 finds "
    "accuracy and MS-SSIM anti-correlated (r^2 = -0.16, as the paper writes it): classes that "
    "collapse look bad too, so (d) is wrong. Section 5 proposes (e), and exercise 4.2 writes it.",
)
