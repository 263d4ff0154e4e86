"""The exercises of lesson 4: the auxiliary classifier GAN."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.exercises import exercise, expect, expect_names, multiple_choice, steps
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
        got = float(answer[name])
        assert abs(got - float(value)) < 1e-2, f"{got:.4g} is wrong: {hints[name]}"


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
    logits = torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    yield "if all labels are known it is class_loss"
    expect(partial_class_loss(logits, labels), acgan.class_loss(logits, labels))

    yield "it is the mean over the pictures with a label"
    some = torch.tensor([3, -1, 4, -1, -1, 9])
    known = some >= 0
    expect(partial_class_loss(logits, some), acgan.class_loss(logits[known], some[known]))

    yield "only the pictures with a label get a gradient"
    t = logits.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(partial_class_loss(t, some), t)
    assert slope[~known].abs().max() == 0, "one without a label gets a gradient"
    assert slope[known].abs().sum() > 0, "those with a label get none"

    yield "for a batch without any label it is 0, not NaN"
    t = logits.clone().requires_grad_(True)
    value = partial_class_loss(t, torch.full((6,), -1))
    assert value.isfinite(), f"found {value.item()}: a mean over no pictures is 0 / 0"
    expect(value, 0.0)
    (slope,) = torch.autograd.grad(value, t, allow_unused=True)
    assert slope is None or slope.abs().max() == 0, "its gradient should be 0"

    yield "the argument labels is not changed"
    given = some.clone()
    partial_class_loss(logits, given)
    assert torch.equal(given, some), "it was changed in place"


@missing_labels.solution
def partial_class_loss(class_logits, labels):
    """Average the cross-entropy over the pictures that have a label."""
    known = (labels >= 0).sum().clamp(min=1)
    return F.cross_entropy(class_logits, labels, ignore_index=-1, reduction="sum") / known


@exercise("4.3", "Implement: how much of the style z decides")
def agreement_of_style(agreement):
    """Expect ``agreement(values)``: (Z, C), a measure of style for each z and each class."""
    generator = torch.Generator().manual_seed(2)
    style = torch.randn(400, 1, generator=generator)
    noise = torch.randn(400, 5, generator=generator)
    yield "it is 1 if z alone decides the style"
    expect(agreement(style.expand(-1, 5).clone()), 1.0)

    yield "the mean and the spread of each class do not change it"
    shifted = style * torch.tensor([1.0, 2.0, 0.5, 3.0, 1.5]) + torch.arange(5.0)
    value = float(agreement(shifted))
    assert abs(value - 1) < 1e-4, (
        f"found {value:.3f}: subtract each class's mean, and divide by its standard deviation"
    )

    yield "it is about 0 if the classes are independent"
    value = float(agreement(noise + 10 * torch.arange(5.0)))
    assert abs(value) < 0.1, f"found {value:.3f}: is a class compared with itself?"

    yield "it is about 1/2 if z causes half of the variance"
    value = float(agreement(style + noise))
    assert abs(value - 0.5) < 0.1, f"found {value:.3f}"

    yield "it is -1 if two classes are the opposite of each other"
    value = float(agreement(torch.cat([style, -style], 1)))
    assert value < -0.99, f"found {value:.3f}: the sign of a correlation counts"


@agreement_of_style.solution
def agreement(values):
    """Return the mean correlation of two different classes over the same z: (Z, C) to ()."""
    correlation = torch.corrcoef(values.T)  # (C, C); 1 on the diagonal
    classes = len(correlation)
    return (correlation.sum() - classes) / (classes * (classes - 1))


def broken_step(gan, batch, run):
    """Update D and G; one name in it is not the one of the real ``train_step``."""
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
        logits, classes = gan.netD(fake)
        adv_g, class_g = acgan.g_loss(logits), acgan.class_loss(classes, labels)
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
    yield "it can be called like train_step"
    gan, losses = _after(1, step)
    reference, expected = _after(1, acgan.train_step)

    yield "D is updated as by train_step"
    steps.expect_same_weights(gan.netD, reference.netD)

    yield "G's class loss is that of the classes that G was given"
    gap = abs(float(losses["G/class"] - expected["G/class"]))
    assert gap < 1e-4, f"G/class differs by {gap:.3g}"
    steps.expect_same_weights(gan.netG, reference.netG)

    yield "a second step is right too"
    gan, _ = _after(2, step)
    reference, _ = _after(2, acgan.train_step)
    steps.expect_same_weights(gan.netD, reference.netD)
    steps.expect_same_weights(gan.netG, reference.netG)


def _after(count, step):
    """Return a small GAN after some steps from the same initial weights, and the last losses."""
    run = runtime.start("cpu", 0)
    cfg = replace(acgan.PRESETS["smoke"], image_size=16, ema_decay=0.0)
    gan = acgan.build(cfg, run)
    gan.opt_g = torch.optim.SGD(gan.netG.parameters(), lr=0.1)
    gan.opt_d = torch.optim.SGD(gan.netD.parameters(), lr=0.1)
    batches = []
    for i in range(count):
        generator = torch.Generator().manual_seed(i)
        real = torch.rand(16, 1, 16, 16, generator=generator) * 2 - 1
        batches.append({"real": real, "labels": torch.randint(10, (16,), generator=generator)})
    return gan, steps.take(step, gan, batches, run)


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; G's class loss is that of the classes that it was given."""
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
        logits, classes = gan.netD(fake)
        adv_g, class_g = acgan.g_loss(logits), acgan.class_loss(classes, wanted)  # not labels
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
