"""The exercises of lesson 7: CycleGAN."""

from dataclasses import replace

import torch

from gancourse.exercises import exercise, expect, letters
from gancourse.gans import cyclegan
from gancourse.training import runtime


@exercise("7.1", "Predict: three summers, one winter")
def collapsed(answer):
    """Expect a dict of four numbers."""
    expected = {"l1_value": -0.6, "l1_loss": 0.4, "l2_value": -0.2, "l2_loss": 0.32}
    yield "the answer names l1_value, l1_loss, l2_value and l2_loss"
    assert set(answer) == set(expected), f"found {', '.join(map(str, answer))}"
    hints = {
        "l1_value": "which one value has the smallest sum of distances to all three?",
        "l1_loss": "the mean of three distances, one of which is 0",
        "l2_value": "which one value has the smallest sum of squared distances?",
        "l2_loss": "the mean of three squares",
    }
    for name, value in expected.items():
        yield f"{name} is right to two decimals"
        assert abs(float(answer[name]) - value) < 0.006, hints[name]


collapsed.solution(
    {"l1_value": -0.6, "l1_loss": 0.4, "l2_value": -0.2, "l2_loss": 0.32},
    "G_BA sees the same picture three times and can give one answer. The mean distance is smallest "
    "at the median, -0.6, and then (0 + 0 + 1.2) / 3 = 0.4. The mean square is smallest at the "
    "mean, -0.2, and then (0.16 + 0.16 + 0.64) / 3 = 0.32. L1 gets two summers right and gives "
    "up on the third; L2 gets none right. Neither can reach 0: a generator that maps different "
    "pictures to the same one cannot be undone, and that is what the cycle loss forbids.",
)
collapsed.wrong({"l1_value": -0.2, "l1_loss": 0.53, "l2_value": -0.2, "l2_loss": 0.32})
collapsed.wrong({"l1_value": -0.6, "l1_loss": 0.0, "l2_value": -0.6, "l2_loss": 0.0})
collapsed.wrong({"l1_value": -0.6, "l1_loss": 1.2, "l2_value": -0.2, "l2_loss": 0.96})


@exercise("7.2", "Implement: what a PNG file keeps")
def quantised(as_png):
    """Expect ``as_png(images)``."""
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = images.clone()
    yield "the shape stays, and the pictures that came in are left as they were"
    png = as_png(images)
    expect(tuple(png.shape), (3, 3, 8, 8))
    expect(images, before)

    yield "the values are bytes: whole numbers from 0 to 255 on the scale of a file"
    levels = (png + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-3, "there are values between two bytes"
    ends = as_png(torch.tensor([-1.0, 1.0]))
    expect(ends, torch.tensor([-1.0, 1.0]))
    ramp = torch.linspace(-1, 1, 10_001)
    expect(len(as_png(ramp).unique()), 256)

    yield "nothing moves by more than half a byte"
    gap = (png - images).abs().max().item() * 127.5
    assert gap < 0.501, f"one value moved by {gap:.2f} bytes: is it rounded, or cut off?"

    yield "what lies a little outside [-1, 1] is brought back"
    expect(as_png(torch.tensor([-1.01, 1.01])), torch.tensor([-1.0, 1.0]))

    yield "a second time changes nothing"
    expect(as_png(png), png)


def as_png(images):
    """Return pictures in [-1, 1] as they come back from a file of 8 bits a channel."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


quantised.solution(
    as_png,
    "It survives: rounding moves a value by 0.2 % of the range at most, and the plot of part 11 is "
    "flat there. It takes noise of several % to harm it.",
)


@quantised.wrong
def cut_off(images):
    return ((images.clamp(-1, 1) + 1) * 127.5).floor() / 127.5 - 1


@quantised.wrong
def too_coarse(images):
    return (images.clamp(-1, 1) * 127).round() / 127


@quantised.wrong
def never_clamped(images):
    return ((images + 1) * 127.5).round() / 127.5 - 1


@quantised.wrong
def in_place(images):
    return images.clamp_(-1, 1).add_(1).mul_(127.5).round_().div_(127.5).sub_(1)


@exercise("7.3", "Modify: a few pairs are known")
def few_pairs(pair_loss):
    """Expect ``pair_loss(fake_B, real_B, known)``."""
    torch.manual_seed(0)
    fake, real = torch.randn(4, 3, 5, 5, requires_grad=True), torch.randn(4, 3, 5, 5)
    known = torch.tensor([True, False, True, False])
    yield "it is the mean absolute difference over the rows that are pairs"
    expect(pair_loss(fake, real, known), (fake[[0, 2]] - real[[0, 2]]).abs().mean())

    yield "a single pair counts as much as in a batch of its own"
    one = torch.tensor([False, False, False, True])
    expect(pair_loss(fake, real, one), (fake[3] - real[3]).abs().mean())

    yield "where nothing is known it is 0, and not NaN"
    none = torch.zeros(4, dtype=torch.bool)
    expect(pair_loss(fake, real, none), 0.0)

    yield "the rows without a partner get no gradient, not even then"
    for rows in (known, none):
        (grad,) = torch.autograd.grad(0 * fake.sum() + pair_loss(fake, real, rows), fake)
        assert grad.isfinite().all(), "the gradient is NaN where nothing is known"
        assert (grad[~rows] == 0).all(), "a picture is pulled towards one that is not its partner"
        assert grad[rows].abs().sum() > 0 or not rows.any(), "the pairs teach nothing"


@few_pairs.solution
def pair_loss(fake_B, real_B, known):
    """Return the mean L1 over the rows that ``known``, (N,) of bool, says are pairs; else 0."""
    gaps = (fake_B - real_B).abs().mean((1, 2, 3))  # (N,)
    return (gaps * known).sum() / known.sum().clamp(min=1)


@few_pairs.wrong
def mean_over_all_rows(fake_B, real_B, known):
    return ((fake_B - real_B).abs().mean((1, 2, 3)) * known).mean()


@few_pairs.wrong
def nan_without_pairs(fake_B, real_B, known):
    return (fake_B[known] - real_B[known]).abs().mean()


@few_pairs.wrong
def nan_gradient_without_pairs(fake_B, real_B, known):
    gaps = (fake_B - real_B).abs().mean((1, 2, 3))
    return ((gaps * known).sum() / known.sum()).nan_to_num()


@few_pairs.wrong
def pairs_or_not(fake_B, real_B, known):
    return (fake_B - real_B).abs().mean()


@few_pairs.wrong
def squared(fake_B, real_B, known):
    return ((fake_B - real_B).square().mean((1, 2, 3)) * known).sum() / known.sum().clamp(min=1)


def broken_step(gan, batch, run):
    """Train all four networks; one thing is wrong in it."""
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    loss_d = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(gan.pool_B(fake_B.detach())))
    loss_d = loss_d + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(gan.pool_A(fake_A.detach())))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(False)
    adv = cyclegan.g_loss(gan.netD_A(fake_B)) + cyclegan.g_loss(gan.netD_B(fake_A))
    cycle = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    cycle = cycle + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A))
    gan.opt_g.zero_grad()
    (adv + cfg.lambda_cyc * cycle).backward()
    gan.opt_g.step()
    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/cycle": cycle.detach()}


@exercise("7.4", "Diagnose: a perfect cycle, and nothing is translated")
def mended(step):
    """Expect a ``train_step``."""
    yield "it can be called like train_step"
    calls, batch, moved = _one_step(step)
    fakes = {}
    for domain, direction in (("B", "AB"), ("A", "BA")):
        source = batch[f"real_{direction[0]}"]
        made = [y for name, x, y in calls if name == f"netG_{direction}" and _holds(x, source)]
        assert made, f"netG_{direction} never saw real_{direction[0]}"
        fakes[domain] = made[0][: len(source)]

    yield "each discriminator sees the real pictures of its own domain"
    for domain in "AB":
        seen = [x for name, x, _ in calls if name == f"netD_{domain}"]
        assert any(_holds(x, batch[f"real_{domain}"]) for x in seen), f"netD_{domain} did not"

    yield "each discriminator sees the fakes of its own domain, in both updates"
    for domain, other in ("AB", "BA"):
        seen = [x for name, x, _ in calls if name == f"netD_{domain}"]
        times = sum(_holds(x, fakes[domain]) for x in seen)
        assert times == 2, f"netD_{domain} saw the fakes of {domain} {times} times"
        assert not any(_holds(x, fakes[other]) for x in seen), f"it saw those of {other}"

    yield "both pictures are sent there and back"
    for domain, direction in (("B", "BA"), ("A", "AB")):
        seen = [x for name, x, _ in calls if name == f"netG_{direction}"]
        assert any(_holds(x, fakes[domain]) for x in seen), f"no way back from fake_{domain}"

    yield "all four networks learn from it"
    missing = {"netG_AB", "netG_BA", "netD_A", "netD_B"} - moved
    assert not missing, f"{', '.join(sorted(missing))} did not move"


def _holds(x, images):
    """Whether pictures stand in a batch, in one piece."""
    n = len(images)
    return any(torch.allclose(x[i : i + n], images) for i in range(len(x) - n + 1))


def _one_step(step):
    """Return who was called with what in one step, the batch, and whose weights moved."""
    run = runtime.start("cpu", 0)
    cfg = replace(cyclegan.PRESETS["smoke"], image_size=16, d_layers=1, batch_size=2, lr=1e-3)
    gan = cyclegan.build(replace(cfg, lambda_idt=0.0), run)
    batch = {name: torch.rand(2, 3, 16, 16) * 2 - 1 for name in ("real_A", "real_B")}
    calls, nets = [], {name: net for name, net in vars(gan).items() if name.startswith("net")}
    before = {name: torch.cat([p.flatten() for p in n.parameters()]) for name, n in nets.items()}
    for name, net in nets.items():
        net.register_forward_hook(
            lambda _, inputs, output, name=name: calls.append(
                (name, inputs[0].detach().clone(), output.detach().clone())
            )
        )
    if step(gan, batch, run) is None:
        raise NotImplementedError
    after = {name: torch.cat([p.flatten() for p in n.parameters()]) for name, n in nets.items()}
    return calls, batch, {name for name in nets if not torch.equal(before[name], after[name])}


@mended.solution
def mended_step(gan, batch, run):
    """Train all four networks: D_A judges what is, or pretends to be, of domain A."""
    cfg, real_A, real_B = gan.cfg, batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    loss_d = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(gan.pool_A(fake_A.detach())))
    loss_d = loss_d + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(gan.pool_B(fake_B.detach())))
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()

    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(False)
    adv = cyclegan.g_loss(gan.netD_A(fake_A)) + cyclegan.g_loss(gan.netD_B(fake_B))
    cycle = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    cycle = cycle + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A))
    gan.opt_g.zero_grad()
    (adv + cfg.lambda_cyc * cycle).backward()
    gan.opt_g.step()
    for net in (gan.netD_A, gan.netD_B):
        net.requires_grad_(True)
    return {"D/adv": loss_d.detach(), "G/adv": adv.detach(), "G/cycle": cycle.detach()}


mended.wrong(broken_step)


@mended.wrong
def mended_for_d_alone(gan, batch, run):
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    loss_d = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(fake_A.detach()))
    loss_d = loss_d + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(fake_B.detach()))
    adv = cyclegan.g_loss(gan.netD_A(fake_B)) + cyclegan.g_loss(gan.netD_B(fake_A))
    cycle = cyclegan.cycle_loss(real_A, gan.netG_BA(fake_B))
    cycle = cycle + cyclegan.cycle_loss(real_B, gan.netG_AB(fake_A))
    return _update(gan, loss_d, adv + 10 * cycle)


@mended.wrong
def without_a_way_back(gan, batch, run):
    real_A, real_B = batch["real_A"], batch["real_B"]
    fake_B, fake_A = gan.netG_AB(real_A), gan.netG_BA(real_B)
    loss_d = cyclegan.d_loss(gan.netD_A(real_A), gan.netD_A(fake_A.detach()))
    loss_d = loss_d + cyclegan.d_loss(gan.netD_B(real_B), gan.netD_B(fake_B.detach()))
    adv = cyclegan.g_loss(gan.netD_A(fake_A)) + cyclegan.g_loss(gan.netD_B(fake_B))
    return _update(gan, loss_d, adv)


def _update(gan, loss_d, loss_g):
    """Move all; for answers that are wrong elsewhere."""
    gan.opt_g.zero_grad()
    loss_g.backward()
    gan.opt_g.step()
    gan.opt_d.zero_grad()
    loss_d.backward()
    gan.opt_d.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@exercise("7.5", "Read: what the paper did, and what it found")
def the_paper(answer):
    """Expect a set of letters."""
    yield "the answer is a set of the letters a to f"
    given = letters(answer, "abcdef")
    yield "nothing is named that the paper does not say"
    assert "b" not in given, "look for the norm in equation 2"
    assert "d" not in given, "read the failure cases of section 6: which tasks succeed, which not?"
    assert "f" not in given, "section 4, training details: how large is a batch?"
    yield "everything is named that it says"
    assert given == set("ace"), "there is one more"


the_paper.solution(
    ["a", "c", "e"],
    "The log likelihood is replaced by least squares for stability (a, section 4). The cycle loss "
    "is an L1 norm (equation 2), so (b) is wrong; replacing it by an adversarial loss did not "
    "help. The identity loss is used for paintings to photographs, to keep the colours (c, section "
    "5.2). Changes of colour and texture often succeed, changes of shape, as dog to cat, have "
    "little success: (d) is wrong (section 6). Earlier fakes from a buffer of 50 are shown to the "
    "discriminators (e, section 4). A batch has one picture: (f) is wrong.",
)
the_paper.wrong({"a", "b", "c", "e"})
the_paper.wrong({"a", "c"})
the_paper.wrong({"a", "c", "d", "e"})
the_paper.wrong({"a", "c", "e", "f"})
