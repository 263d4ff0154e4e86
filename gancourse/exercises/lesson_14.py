"""The exercises of lesson 14: BicycleGAN."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from gancourse.exercises import exercise, expect, expect_names, expect_number, expect_same, reading
from gancourse.gans import bicyclegan


@exercise("14.1", "Implement: the divergence of q(z|B) from N(0, 1)")
def divergence(kl_loss):
    """Expect ``kl_loss(mu, logvar)``, which takes two tensors (N, latent_dim)."""
    zero = torch.zeros(4, 8)
    yield "it is 0 where mu is 0 and the variance 1"
    expect_number(kl_loss(zero, zero), 0.0, "N(0, 1) is no distance from itself", atol=1e-5)

    yield "it is 4 where all eight numbers of mu are 1: half the squared length of mu"
    expect_number(kl_loss(zero + 1, zero), 4.0, "sum over the numbers of z", atol=1e-4)

    yield "it and its gradients are right for any mu and logvar"
    expect_same(kl_loss, divergence.answer, torch.randn(5, 8), torch.randn(5, 8))

    yield "it does not depend on how many pictures are in the batch"
    mu, logvar = torch.randn(3, 8), torch.randn(3, 8)
    one = reading.tensor(kl_loss(mu, logvar))
    expect(kl_loss(mu.repeat(4, 1), logvar.repeat(4, 1)), one.detach(), atol=1e-4)

    yield "it is right for another latent_dim"
    expect_same(kl_loss, divergence.answer, torch.randn(6, 3), torch.randn(6, 3))


@divergence.solution
def kl_loss(mu, logvar):
    """Sum over the numbers of z, average over the batch."""
    return (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean() / 2


class _Drawer(nn.Module):
    """A small G: z tints a picture."""

    def __init__(self):
        super().__init__()
        self.tint, self.mix = nn.Linear(2, 3), nn.Conv2d(3, 3, 1)

    def forward(self, x, z):
        return torch.tanh(self.mix(x) + self.tint(z)[:, :, None, None])


class _Reader(nn.Module):
    """A small E: the means of a picture's channels, mixed."""

    def __init__(self):
        super().__init__()
        self.mu, self.logvar = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, y):
        h = torch.relu(y.mean((2, 3)) + 1)
        return self.mu(h), self.logvar(h)


def _grads(net):
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten()
                      for p in net.parameters()])  # fmt: skip


def _after(loss_of, nets, *given):
    """Return a loss, and the gradients that it leaves in copies of the networks."""
    nets = copy.deepcopy(nets)
    loss = loss_of(*nets, *(x.clone() for x in given))
    if loss is None or loss is ...:
        raise NotImplementedError
    loss = reading.tensor(loss)
    if loss.requires_grad:
        loss.sum().backward()
    return loss.detach(), [_grads(net) for net in nets], nets


@exercise("14.2", "Implement: the latent loss, from which E does not learn")
def latent(latent_loss):
    """Expect ``latent_loss(netG, netE, x, z)``; ``netE`` returns mu and logvar."""
    nets, x, z = (_Drawer(), _Reader()), torch.randn(6, 3, 4, 4), torch.randn(6, 2)
    loss, (of_g, of_e), after = _after(latent_loss, nets, x, z)
    right, (wanted, _), _ = _after(latent.answer, nets, x, z)
    with torch.no_grad():
        output = nets[0](x, z)
        logvar = nets[1](output)[1]

    yield "it is the mean absolute error of E's mean, for the output of a random z"
    assert loss.numel() == 1, f"it has {loss.numel()} numbers: take the mean"
    hint = "compare z with mu; a draw around mu is off by more"
    assert logvar.numel() and abs(loss.item() - right.item()) < 1e-5, (
        f"it is {loss.item():.4f} and should be {right.item():.4f}: {hint}"
    )

    yield "a gradient reaches G"
    assert of_g.abs().max() > 0, "nothing reaches G: is the output detached?"
    torch.testing.assert_close(of_g, wanted, rtol=1e-3, atol=1e-6, msg="G's gradient is another's")

    yield "none reaches E's weights"
    assert not of_e.any(), f"E's weights have gradients of up to {of_e.abs().max():.2g}"

    yield "afterwards E can learn again, from its own losses"
    frozen = [p for net in after for p in net.parameters() if not p.requires_grad]
    assert not frozen, f"{len(frozen)} weights are still frozen"


@latent.solution
def latent_loss(netG, netE, x, z):
    """Pass through E as it is: its weights are frozen while the graph is built."""
    netE.requires_grad_(False)
    mu, _ = netE(netG(x, z))
    netE.requires_grad_(True)
    return F.l1_loss(mu, z)


@exercise("14.3", "Implement: how different are the answers to one input")
def differences(diversity):
    """Expect ``diversity(samples)``, which takes (inputs, samples, C, H, W)."""
    one = torch.rand(3, 1, 3, 4, 4)
    yield "it is 0 where the samples of each input are equal, however different the inputs are"
    hint = "compare samples of one input alone"
    expect_number(diversity(one.expand(-1, 5, -1, -1, -1)), 0.0, hint, atol=1e-5)

    yield "two samples, black and white, are 2 apart"
    two = torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1, 1).expand(2, 2, 3, 4, 4)
    expect_number(diversity(two), 2.0, "the one pair there is has an absolute difference of 2")

    yield "it is the mean over all pairs of different samples"
    samples = torch.randn(4, 6, 3, 4, 4)
    expect(diversity(samples), differences.answer(samples), atol=1e-4)

    yield "the order of the samples changes nothing"
    expect(diversity(samples[:, torch.randperm(6)]), differences.answer(samples), atol=1e-4)


@differences.solution
def diversity(samples):
    """Average the absolute difference over the pixels, the pairs and the inputs."""
    apart = (samples[:, :, None] - samples[:, None]).abs().mean((3, 4, 5))  # (N, K, K)
    k = samples.shape[1]
    return apart.sum((1, 2)).mean() / (k * (k - 1))  # the diagonal is 0


@exercise("14.4", "Predict: what z has to say")
def of_z(answer):
    """Expect a dict of four numbers."""
    expect_names(answer, {"nats", "looks", "far", "narrow"})
    hints = {
        "nats": "the logarithm of the number of equally likely answers",
        "looks": "a look is missed by 24 draws with probability (11/12) to the power of 24",
        "far": "half the square of mu, since the variance is 1",
        "narrow": "(v - 1 - log v) / 2 for a variance v: what is v at a standard deviation of 1/2?",
    }
    for name, right in of_z.answer.items():
        yield f"{name} is right"
        tolerance = 0.06 if name == "looks" else 0.01
        expect_number(answer[name], right, hints[name], atol=tolerance)


of_z.solution(
    {"nats": 2.485, "looks": 10.51, "far": 2.0, "narrow": 0.318},
    "12 equally likely looks take log 12 = 2.485 nats to name. Of 12 looks, 24 fair draws miss "
    "each with probability (11/12)^24 = 0.124: 12 (1 - 0.124) = 10.5 are met. A mean of 2 in one "
    "number of z costs 2^2 / 2 = 2 nats, and a standard deviation of 1/2 costs "
    "(1/4 - 1 - log 1/4) / 2 = 0.318.",
)


def broken_loss(netG, netE, netD, netD2, A, B, eps, z):
    """Return the loss of G and E, with two faults; eps and z are draws from N(0, 1).

    The networks are as in the lesson, and D's scores are a list.
    """
    mu, logvar = netE(B)
    z_enc = mu + logvar.exp() * eps
    fake_enc, fake = netG(A, z_enc), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake_enc))
    vae = 10 * F.l1_loss(fake_enc, B) + 0.01 * bicyclegan.kl_loss(mu, logvar)
    netE.requires_grad_(False)
    latent = F.l1_loss(netE(fake)[0], z)
    netE.requires_grad_(True)
    return adv + vae + 0.5 * latent


class _Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Conv2d(3, 1, 2)

    def forward(self, x, y):
        return [self.score(y).squeeze(1)]


@exercise("14.5", "Diagnose: outputs that copy B well, and random z that draw nothing")
def mended(loss):
    """Expect ``loss(netG, netE, netD, netD2, A, B, eps, z)``."""
    nets = _Drawer(), _Reader(), _Scorer(), _Scorer()
    for p in nets[1].logvar.parameters():
        p.data += 0.7
    A, B = torch.randn(2, 5, 3, 4, 4).unbind(0)
    eps, z = torch.randn(2, 5, 2).unbind(0)
    found, grads, _ = _after(loss, nets, A, B, eps, z)
    right, wanted, _ = _after(mended.answer, nets, A, B, eps, z)

    yield "the second discriminator judges the outputs of random z"
    with torch.no_grad():
        moved = copy.deepcopy(nets)
        moved[3].score.bias += 1.0
        change = reading.tensor(loss(*moved, A, B, eps, z)) - found
        true_change = mended.answer(*moved, A, B, eps, z) - right
    assert torch.allclose(change, true_change, rtol=1e-3, atol=1e-4), "which outputs does it see?"

    yield "encoded z has the standard deviation that logvar says"
    hint = "the logarithm of the variance is logvar: what is that of the standard deviation?"
    assert abs(found.item() - right.item()) < 1e-4, hint

    yield "the gradients of G and of E are those of the loss"
    for name, mine, true in zip(("G", "E"), grads, wanted, strict=False):
        assert torch.allclose(mine, true, rtol=1e-3, atol=1e-5), f"that of {name} is another's"


@mended.solution
def mended_loss(netG, netE, netD, netD2, A, B, eps, z):
    """D2 judges the outputs of random z, and the standard deviation is exp(logvar / 2)."""
    mu, logvar = netE(B)
    z_enc = mu + (logvar / 2).exp() * eps
    fake_enc, fake = netG(A, z_enc), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake))
    vae = 10 * F.l1_loss(fake_enc, B) + 0.01 * bicyclegan.kl_loss(mu, logvar)
    netE.requires_grad_(False)
    latent = F.l1_loss(netE(fake)[0], z)
    netE.requires_grad_(True)
    return adv + vae + 0.5 * latent


mended.why = (
    "Where nobody judges the outputs of random z, G may draw anything for the z that E never "
    "names. And exp(logvar) is the variance: as a standard deviation it is too large above 1 and "
    "too small below, so that the divergence no longer measures what is drawn."
)
