"""The exercises of lesson 5: the conditional GAN."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.exercises import exercise, expect, expect_names, multiple_choice, steps
from gancourse.gans import cgan
from gancourse.training import runtime


@exercise("5.1", "Predict: a generator that draws perfectly and ignores the label")
def ignored_label(answer):
    """Expect a dict of three numbers."""
    # The probability of one matching pair of class and label, in the data and among fakes.
    p, q = 1 / 10, 1 / 100
    expected = {"matching": p / (p + q), "mismatched": 0.0}
    expected["loss_d"] = -math.log(p / (p + q)) - 0.1 * math.log(q / (p + q))
    yield "the answer names matching, mismatched and loss_d"
    expect_names(answer, expected)
    hints = {
        "matching": (0.5, "the pictures alone are perfect, but most fakes have the wrong label"),
        "mismatched": (0.5, "how often does the data show this picture with this label?"),
        "loss_d": (math.log(4), "D can tell: nine of ten fakes are mismatched"),
    }
    for name, value in expected.items():
        yield f"{name} is right to two decimals"
        trap, hint = hints[name]
        got = float(answer[name])
        assert abs(got - trap) > 0.005, hint
        assert abs(got - value) < 0.006, f"{got:.4g} is wrong: D outputs p / (p + q)"


ignored_label.solution(
    {"matching": 0.909, "mismatched": 0.0, "loss_d": 0.335},
    "The data show every class with its own label: 1/10 for each of ten matching pairs, 0 for the "
    "other ninety. The fakes fall on all hundred pairs alike: 1/100 each. So D* = p / (p + q) is "
    "(1/10) / (1/10 + 1/100) = 10/11 for a matching pair and 0 for a mismatched one. Real pairs "
    "cost D -log(10/11) = 0.095; a tenth of the fakes match and cost -log(1/11) = 2.398 each, the "
    "rest costs nothing: 0.095 + 0.240 = 0.335, far below log 4, although no picture is wrong.",
)


@exercise("5.2", "Implement: the label as planes of pixels")
def label_planes(with_label_planes):
    """Expect ``with_label_planes(x, labels, num_classes)``."""
    x, labels = torch.rand(4, 3, 5, 6), torch.tensor([2, 0, 6, 2])
    yield "the pictures gain a plane for each class"
    planes = with_label_planes(x, labels, 7)
    expect(tuple(planes.shape), (4, 10, 5, 6))

    yield "the pictures themselves come first and are unchanged"
    expect(planes[:, :3], x)

    yield "in each picture the plane of its class is 1 everywhere, the others are 0"
    expect(planes[:, 3:].mean((2, 3)), F.one_hot(labels, 7).float())
    assert set(planes[:, 3:].unique().tolist()) == {0.0, 1.0}, "only 0 and 1 belong there"

    yield "it works for a single picture and a single class"
    expect(tuple(with_label_planes(x[:1], torch.tensor([0]), 1).shape), (1, 4, 5, 6))

    yield "the gradient reaches every pixel"
    t = torch.rand(2, 1, 2, 2, requires_grad=True)
    with_label_planes(t, torch.tensor([0, 1]), 2).sum().backward()
    assert t.grad is not None and (t.grad == 1).all(), "the gradient of the picture is lost"


@label_planes.solution
def with_label_planes(x, labels, num_classes):
    """Join pictures, (N, C, H, W), with a plane for each class: (N, C + num_classes, H, W)."""
    planes = F.one_hot(labels, num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], 1)


@exercise("5.3", "Modify: a class between two classes")
def soft_labels(draw_mixture):
    """Expect ``draw_mixture(netG, z, y)``."""
    torch.manual_seed(0)
    cfg = cgan.PRESETS["smoke"]
    netG = cgan.Generator(cfg).eval()
    z, labels = torch.randn(6, cfg.latent_dim), torch.tensor([3, 1, 4, 1, 5, 9])
    one_hot = torch.eye(10)[labels]
    yield "with a one-hot y it is the generator's output"
    expect(draw_mixture(netG, z, one_hot), netG(z, labels))

    yield "each picture has its own mixture"
    other = torch.eye(10)[labels.flip(0)]
    half = draw_mixture(netG, z, (one_hot + other) / 2)
    expect(half[:1], draw_mixture(netG, z[:1], (one_hot[:1] + other[:1]) / 2))

    yield "y enters before the ReLU: a mixture is not the average of two pictures"
    average = (netG(z, labels) + netG(z, labels.flip(0))) / 2
    assert (half - average).abs().max() > 1e-3, "two pictures were averaged"

    yield "a small change of y changes the picture a little"
    nudged = draw_mixture(netG, z, 0.99 * one_hot + 0.01 * other)
    gap = (nudged - netG(z, labels)).abs().max()
    assert 0 < gap < 0.1, f"the largest change of a pixel is {gap:.3f}"

    yield "dropout acts in training mode, as in the generator"
    netG.drop.p = 0.5
    assert not torch.equal(
        draw_mixture(netG.train(), z, one_hot), draw_mixture(netG, z, one_hot)
    ), "two calls in training mode give the same picture"


@soft_labels.solution
def draw_mixture(netG, z, y):
    """Turn z, (N, latent_dim), and shares of the classes, (N, num_classes), into pictures."""
    h = torch.cat([netG.from_z(z), netG.from_y(y)], 1)
    h = netG.drop(F.relu(h))
    h = netG.drop(F.relu(netG.joint(h)))
    return torch.tanh(netG.out(h)).unflatten(1, netG.sample_shape)


def broken_step(gan, batch, run):
    """Update D and G; some pictures in it are paired with the wrong labels."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    fake_labels = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), fake_labels)
    loss_d = cgan.d_loss(gan.netD(real, labels), gan.netD(fake.detach(), labels))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = cgan.g_loss(gan.netD(fake, labels))
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("5.4", "Diagnose: good digits of the wrong classes")
def mended(step):
    """Expect a ``train_step``."""
    yield "it can be called like train_step"
    run = runtime.start("cpu", 0)
    cfg = replace(cgan.PRESETS["smoke"], d_dropout=(0.0, 0.0), batch_size=16)
    gan = cgan.build(cfg, run)
    batch = {"real": torch.rand(16, 1, 28, 28) * 2 - 1, "labels": torch.arange(16) % 10}
    calls, changed = steps.observe(step, gan, batch, run)
    of_g = [call for call in calls if call.network == "netG"]
    assert len(of_g) == 1, f"G was called {len(of_g)} times; once is enough"
    (_, (_, fake_labels), fake) = of_g[0]
    pairs = [call.inputs for call in calls if call.network == "netD"]

    yield "D sees each real picture with its own label"
    labels_of_real = [labels for x, labels in pairs if torch.equal(x, batch["real"])]
    assert labels_of_real, "D never saw the real pictures"
    for labels in labels_of_real:
        assert torch.equal(labels, batch["labels"]), "D saw other labels"

    yield "D sees each fake with the label that G was given, in both updates"
    labels_of_fake = [labels for x, labels in pairs if torch.equal(x, fake)]
    assert len(labels_of_fake) == 2, f"D saw the fakes {len(labels_of_fake)} times"
    for labels, player in zip(labels_of_fake, "DG", strict=True):
        assert torch.equal(labels, fake_labels), f"D saw other labels in {player}'s update"

    yield "the weights of both players change"
    assert changed == {"netG", "netD"}, f"changed: {', '.join(changed) or 'none'}"


@mended.solution
def mended_step(gan, batch, run):
    """Update D and G; D sees each fake with the label that G was given."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    fake_labels = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), fake_labels)
    loss_d = cgan.d_loss(gan.netD(real, labels), gan.netD(fake.detach(), fake_labels))  # not labels
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = cgan.g_loss(gan.netD(fake, fake_labels))  # nor here
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


the_paper = multiple_choice(
    "5.5",
    "Read: what the paper did, and what it found",
    "abcdef",
    right="abc",
    hints={
        "d": "compare the last two lines of table 1",
        "e": "in section 4.1, which distribution does the noise for MNIST have?",
        "f": "D is shown real pairs and generated ones, and nothing else",
    },
)
the_paper.solution(
    ["a", "b", "c"],
    "The labels are one-hot vectors (a), dropout acts in both players (b), and y enters through a "
    "hidden layer of its own before it meets z or x (c): all in section 4.1. In table 1 the "
    "conditional net has 132, the unconditional one 225, and more is better: (d) is wrong, and the "
    "authors say so themselves. The noise for MNIST is uniform (e); Gaussian noise is used for the "
    "image tags of section 4.2. Real pictures with wrong labels (f) came with GAN-CLS in 2016.",
)
