"""The exercises of lesson 5: the conditional GAN."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

from gancourse.exercises import exercise, expect, letters
from gancourse.gans import cgan
from gancourse.training import runtime


@exercise("5.1", "Predict: a generator that draws perfectly and does not listen")
def deaf_generator(answer):
    """Expect a dict of three numbers."""
    p, q = 1 / 10, 1 / 100  # of one matching pair of class and label, in the data and among fakes
    expected = {"matching": p / (p + q), "mismatched": 0.0}
    expected["loss_d"] = -math.log(p / (p + q)) - 0.1 * math.log(q / (p + q))
    yield "the answer names matching, mismatched and loss_d"
    assert set(answer) == set(expected), f"found {', '.join(map(str, answer))}"
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
        assert abs(got - value) < 0.006, f"{got} is not what p / (p + q) gives"


deaf_generator.solution(
    {"matching": 0.909, "mismatched": 0.0, "loss_d": 0.335},
    "The data show every class with its own label: 1/10 for each of ten matching pairs, 0 for the "
    "other ninety. The fakes fall on all hundred pairs alike: 1/100 each. So D* = p / (p + q) is "
    "(1/10) / (1/10 + 1/100) = 10/11 for a matching pair and 0 for a mismatched one. Real pairs "
    "cost D -log(10/11) = 0.095; a tenth of the fakes match and cost -log(1/11) = 2.398 each, the "
    "rest costs nothing: 0.095 + 0.240 = 0.335, far below log 4, although no picture is wrong.",
)
deaf_generator.wrong({"matching": 0.5, "mismatched": 0.5, "loss_d": math.log(4)})
deaf_generator.wrong({"matching": 1.0, "mismatched": 0.0, "loss_d": 0.0})
deaf_generator.wrong({"matching": 0.909, "mismatched": 0.0, "loss_d": 0.095 + 2.398})


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

    yield "gradients reach the picture"
    t = torch.rand(2, 1, 2, 2, requires_grad=True)
    with_label_planes(t, torch.tensor([0, 1]), 2).sum().backward()
    assert t.grad is not None and (t.grad == 1).all(), "the picture's gradient was lost"


@label_planes.solution
def with_label_planes(x, labels, num_classes):
    """Join pictures, (N, C, H, W), with a plane for each class: (N, C + num_classes, H, W)."""
    planes = F.one_hot(labels, num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([x, planes.expand(-1, -1, *x.shape[2:])], 1)


@label_planes.wrong
def one_plane_of_integers(x, labels, num_classes):
    return torch.cat([x, labels.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])], 1)


@label_planes.wrong
def labels_of_the_first(x, labels, num_classes):
    planes = F.one_hot(labels[:1], num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([x, planes.expand(len(x), -1, *x.shape[2:])], 1)


@label_planes.wrong
def planes_first(x, labels, num_classes):
    planes = F.one_hot(labels, num_classes).to(x.dtype)[:, :, None, None]
    return torch.cat([planes.expand(-1, -1, *x.shape[2:]), x], 1)


@label_planes.wrong
def one_row_only(x, labels, num_classes):
    planes = torch.zeros(len(x), num_classes, *x.shape[2:])
    planes[torch.arange(len(x)), labels, 0] = 1
    return torch.cat([x, planes], 1)


@exercise("5.3", "Modify: a class between two classes")
def soft_labels(draw_mixture):
    """Expect ``draw_mixture(netG, z, y)``."""
    torch.manual_seed(0)
    cfg = cgan.PRESETS["smoke"]
    netG = cgan.Generator(cfg).eval()
    z, labels = torch.randn(6, cfg.latent_dim), torch.tensor([3, 1, 4, 1, 5, 9])
    one_hot = torch.eye(10)[labels]
    yield "with a one-hot y it is the generator itself"
    expect(draw_mixture(netG, z, one_hot), netG(z, labels))

    yield "every picture has a mixture of its own"
    other = torch.eye(10)[labels.flip(0)]
    half = draw_mixture(netG, z, (one_hot + other) / 2)
    expect(half[:1], draw_mixture(netG, z[:1], (one_hot[:1] + other[:1]) / 2))

    yield "y enters before the ReLU: half way is not the average of two pictures"
    average = (netG(z, labels) + netG(z, labels.flip(0))) / 2
    assert (half - average).abs().max() > 1e-3, "two finished pictures were averaged"

    yield "a small change of y is a small change of the picture"
    nudged = draw_mixture(netG, z, 0.99 * one_hot + 0.01 * other)
    gap = (nudged - netG(z, labels)).abs().max()
    assert 0 < gap < 0.1, f"the largest change of a pixel is {gap:.3f}"

    yield "dropout and all else stay as the generator has them"
    netG.drop.p = 0.5
    assert not torch.equal(
        draw_mixture(netG.train(), z, one_hot), draw_mixture(netG, z, one_hot)
    ), "in training mode the generator drops units at random"


@soft_labels.solution
def draw_mixture(netG, z, y):
    """Turn z, (N, latent_dim), and shares of the classes, (N, num_classes), into pictures."""
    h = torch.cat([netG.from_z(z), netG.from_y(y)], 1)
    h = netG.drop(F.relu(h))
    h = netG.drop(F.relu(netG.joint(h)))
    return torch.tanh(netG.out(h)).unflatten(1, netG.sample_shape)


@soft_labels.wrong
def most_likely_class(netG, z, y):
    return netG(z, y.argmax(1))


@soft_labels.wrong
def averaged_pictures(netG, z, y):
    every = [netG(z, torch.full((len(z),), c)) for c in range(netG.num_classes)]
    return sum(y[:, c, None, None, None] * pictures for c, pictures in enumerate(every))


@soft_labels.wrong
def no_dropout(netG, z, y):
    h = F.relu(torch.cat([netG.from_z(z), netG.from_y(y)], 1))
    return torch.tanh(netG.out(F.relu(netG.joint(h)))).unflatten(1, netG.sample_shape)


def broken_step(gan, batch, run):
    """Train D and G; somewhere in here a label goes astray."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    asked = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), asked)
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


@exercise("5.4", "Diagnose: good digits, in no order")
def mended(step):
    """Expect a ``train_step``."""
    yield "it can be called like train_step"
    calls, batch, moved = _one_step(step)
    of_g = [(inputs[1], output) for name, inputs, output in calls if name == "netG"]
    of_d = [inputs for name, inputs, output in calls if name == "netD"]
    assert len(of_g) == 1, f"G was called {len(of_g)} times, and once is enough"
    (asked, fake), real = of_g[0], batch["real"]

    yield "D sees each real picture with its own label"
    pairs = [labels for x, labels in of_d if torch.equal(x, real)]
    assert pairs, "D never saw the real pictures"
    assert all(torch.equal(labels, batch["labels"]) for labels in pairs), "it saw other labels"

    yield "D sees each fake with the label that G was asked for, in both updates"
    pairs = [labels for x, labels in of_d if torch.equal(x, fake)]
    assert len(pairs) == 2, f"D saw the fakes {len(pairs)} times"
    for labels, update in zip(pairs, ("its own", "G's"), strict=True):
        assert torch.equal(labels, asked), f"in {update} update it saw other labels"

    yield "both players learn from it"
    assert moved == {"netG", "netD"}, f"only {', '.join(moved) or 'nobody'} moved"


def _one_step(step):
    """Return who was called with what in one step, the batch, and whose weights moved."""
    run = runtime.start("cpu", 0)
    cfg = replace(cgan.PRESETS["smoke"], d_dropout=(0.0, 0.0), batch_size=16)
    gan = cgan.build(cfg, run)
    batch = {"real": torch.rand(16, 1, 28, 28) * 2 - 1, "labels": torch.arange(16) % 10}
    calls, nets = [], {"netG": gan.netG, "netD": gan.netD}
    before = {name: [p.clone() for p in net.parameters()] for name, net in nets.items()}
    for name, net in nets.items():
        net.register_forward_hook(
            lambda _, inputs, output, name=name: calls.append(
                (name, tuple(x.detach().clone() for x in inputs), output.detach().clone())
            )
        )
    if step(gan, batch, run) is None:
        raise NotImplementedError
    moved = {
        name
        for name, net in nets.items()
        if any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True))
    }
    return calls, batch, moved


@mended.solution
def mended_step(gan, batch, run):
    """Train D and G; a fake is shown with the label that G was asked for."""
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    asked = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), asked)
    loss_d = cgan.d_loss(gan.netD(real, labels), gan.netD(fake.detach(), asked))  # not labels
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    gan.netD.requires_grad_(False)
    loss_g = cgan.g_loss(gan.netD(fake, asked))  # nor here
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.netD.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


mended.wrong(broken_step)


@mended.wrong
def mended_for_g_alone(gan, batch, run):
    real, labels, cfg = batch["real"], batch["labels"], gan.cfg
    asked = torch.randint(cfg.num_classes, labels.shape, device=labels.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), asked)
    loss_d = cgan.d_loss(gan.netD(real, labels), gan.netD(fake.detach(), labels))
    loss_g = cgan.g_loss(gan.netD(fake, asked))
    return _update(gan, loss_d, loss_g)


@mended.wrong
def the_reals_lose_theirs(gan, batch, run):
    real, cfg = batch["real"], gan.cfg
    asked = torch.randint(cfg.num_classes, (len(real),), device=real.device)
    fake = gan.netG(cgan.draw_z(cfg, len(real), device=run.device), asked)
    loss_d = cgan.d_loss(gan.netD(real, asked), gan.netD(fake.detach(), asked))
    loss_g = cgan.g_loss(gan.netD(fake, asked))
    return _update(gan, loss_d, loss_g)


def _update(gan, loss_d, loss_g):
    """Move both players; for answers that are wrong elsewhere."""
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("5.5", "Read: what the paper did, and what it found")
def the_paper(answer):
    """Expect a set of letters."""
    yield "the answer is a set of the letters a to f"
    given = letters(answer, "abcdef")
    yield "nothing is named that the paper does not say"
    assert "d" not in given, "compare the last two lines of table 1"
    assert "e" not in given, "read section 4.1 again: where is the noise for MNIST drawn from?"
    assert "f" not in given, "D is shown real pairs and generated ones, and nothing else"
    yield "everything is named that it says"
    assert given == set("abc"), "there is one more"


the_paper.solution(
    ["a", "b", "c"],
    "The labels are one-hot vectors (a), dropout acts in both players (b), and y enters through a "
    "hidden layer of its own before it meets z or x (c): all in section 4.1. In table 1 the "
    "conditional net has 132, the unconditional one 225, and more is better: (d) is wrong, and the "
    "authors say so themselves. The noise for MNIST is uniform (e); Gaussian noise is used for the "
    "image tags of section 4.2. Real pictures with wrong labels (f) came with GAN-CLS in 2016.",
)
the_paper.wrong({"a", "b"})
the_paper.wrong({"a", "b", "c", "d"})
the_paper.wrong({"a", "b", "c", "f"})
