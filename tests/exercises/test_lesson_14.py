"""Right and wrong answers to the exercises of lesson 14."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers

from gancourse.exercises.lesson_14 import broken_loss
from gancourse.gans import bicyclegan

answers = Answers(14)


# 14.1: the divergence


@answers.accept("14.1")
def by_distributions(mu, logvar):
    q = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
    p = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return torch.distributions.kl_divergence(q, p).sum(1).mean()


@answers.accept("14.1")
def as_kingma_writes_it(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / mu.shape[0]


@answers.accept("14.1")
def mean_times_the_numbers_of_z(mu, logvar):
    return 0.5 * mu.shape[1] * torch.mean(mu * mu + torch.exp(logvar) - logvar - 1)


@answers.accept("14.1")
def row_by_row(mu, logvar):
    rows = [(m @ m + v.exp().sum() - v.sum() - len(v)) / 2 for m, v in zip(mu, logvar, strict=True)]
    return torch.stack(rows).mean()


@answers.accept("14.1")
def with_standard_deviations(mu, logvar):
    sd = (logvar / 2).exp()
    return ((mu**2 + sd**2) / 2 - 0.5 - sd.log()).sum(-1).mean(0)


@answers.refuse("14.1")
def summed_over_the_batch(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


@answers.refuse("14.1")
def mean_over_everything(mu, logvar):
    return -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())


@answers.refuse("14.1")
def without_the_half(mu, logvar):
    return (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()


@answers.refuse("14.1")
def of_the_mean_alone(mu, logvar):
    return mu.square().sum(1).mean() / 2


@answers.refuse("14.1")
def with_the_sign_turned(mu, logvar):
    return 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()


@answers.refuse("14.1")
def with_logvar_as_log_of_the_deviation(mu, logvar):
    return (mu.square() + (2 * logvar).exp() - 1 - 2 * logvar).sum(1).mean() / 2


# 14.2: the latent loss


@answers.accept("14.2")
def with_a_copy_of_e(netG, netE, x, z):
    still = copy.deepcopy(netE).requires_grad_(False)
    return (still(netG(x, z))[0] - z).abs().mean()


@answers.accept("14.2")
def with_detached_weights(netG, netE, x, z):
    weights = {name: p.detach() for name, p in netE.named_parameters()}
    mu, _ = torch.func.functional_call(netE, weights, (netG(x, z),))
    return F.l1_loss(mu, z)


@answers.accept("14.2")
def weight_by_weight(netG, netE, x, z):
    for p in netE.parameters():
        p.requires_grad = False
    loss = torch.mean(torch.abs(z - netE(netG(x, z))[0]))
    for p in netE.parameters():
        p.requires_grad = True
    return loss


@answers.accept("14.2")
def by_the_gradient_of_the_output(netG, netE, x, z):
    fake = netG(x, z)
    seen = fake.detach().requires_grad_()
    loss = F.l1_loss(netE(seen)[0], z)
    (slope,) = torch.autograd.grad(loss, seen)
    return loss.detach() + (slope * (fake - fake.detach())).sum()


@answers.accept("14.2")
def frozen_after_the_forward_pass(netG, netE, x, z):
    """As the authors do: a weight that is frozen when the gradient arrives takes none."""
    loss = F.l1_loss(netE(netG(x, z))[0], z)
    netE.requires_grad_(False)
    pairs = zip(netG.parameters(), torch.autograd.grad(loss, [*netG.parameters()]), strict=True)
    netE.requires_grad_(True)
    through = sum((p * g).sum() for p, g in pairs)
    return loss.detach() + through - through.detach()


@answers.refuse("14.2")
def nothing_is_frozen(netG, netE, x, z):
    return F.l1_loss(netE(netG(x, z))[0], z)


@answers.refuse("14.2")
def never_thawed(netG, netE, x, z):
    netE.requires_grad_(False)
    return F.l1_loss(netE(netG(x, z))[0], z)


@answers.refuse("14.2")
def with_the_output_detached(netG, netE, x, z):
    return F.l1_loss(netE(netG(x, z).detach())[0], z)


@answers.refuse("14.2")
def without_gradients_in_e(netG, netE, x, z):
    fake = netG(x, z)
    with torch.no_grad():
        mu, _ = netE(fake)
    return F.l1_loss(mu, z)


@answers.refuse("14.2")
def with_a_draw(netG, netE, x, z):
    netE.requires_grad_(False)
    mu, logvar = netE(netG(x, z))
    netE.requires_grad_(True)
    return F.l1_loss(mu + (logvar / 2).exp() * torch.randn_like(mu), z)


@answers.refuse("14.2")
def squared(netG, netE, x, z):
    netE.requires_grad_(False)
    loss = F.mse_loss(netE(netG(x, z))[0], z)
    netE.requires_grad_(True)
    return loss


@answers.refuse("14.2")
def with_g_frozen_in_place_of_e(netG, netE, x, z):
    netG.requires_grad_(False)
    loss = F.l1_loss(netE(netG(x, z))[0], z)
    netG.requires_grad_(True)
    return loss


# 14.3: diversity


@answers.accept("14.3")
def by_pdist(samples):
    size = samples[0, 0].numel()
    return torch.stack([F.pdist(rows.flatten(1), 1).mean() / size for rows in samples]).mean()


@answers.accept("14.3")
def in_python_loops(samples):
    k = samples.shape[1]
    pairs = [(i, j) for i in range(k) for j in range(k) if i < j]
    total = sum((samples[:, i] - samples[:, j]).abs().mean().item() for i, j in pairs)
    return total / len(pairs)


@answers.accept("14.3")
def with_numpy(samples):
    values = samples.flatten(2).numpy()
    upper = np.triu_indices(values.shape[1], 1)
    return np.mean(np.abs(values[:, upper[0]] - values[:, upper[1]]))


@answers.accept("14.3")
def by_sorted_pixels(samples):
    """Of sorted numbers, the sum of all distances is linear in their ranks."""
    k = samples.shape[1]
    weights = 2.0 * torch.arange(k) - (k - 1)
    ordered = samples.sort(1).values.flatten(2)
    return (ordered * weights[None, :, None]).sum(1).mean() / (k * (k - 1) / 2)


@answers.accept("14.3")
def by_turning(samples):
    """Each sample beside the one that stands s places further, for every s."""
    k = samples.shape[1]
    return torch.stack([(samples - samples.roll(s, 1)).abs().mean() for s in range(1, k)]).mean()


@answers.refuse("14.3")
def with_each_sample_beside_itself(samples):
    return (samples[:, :, None] - samples[:, None]).abs().mean()


@answers.refuse("14.3")
def between_inputs(samples):
    return F.pdist(samples.flatten(0, 1).flatten(1), 1).mean() / samples[0, 0].numel()


@answers.refuse("14.3")
def consecutive_ones(samples):
    return (samples[:, 1:] - samples[:, :-1]).abs().mean()


@answers.refuse("14.3")
def the_standard_deviation(samples):
    return samples.std(1).mean()


@answers.refuse("14.3")
def squared_differences(samples):
    k = samples.shape[1]
    apart = (samples[:, :, None] - samples[:, None]).square().mean((3, 4, 5))
    return apart.sum((1, 2)).mean() / (k * (k - 1))


@answers.refuse("14.3")
def from_the_mean(samples):
    return (samples - samples.mean(1, keepdim=True)).abs().mean()


# 14.4: what z has to say

answers.accept(
    "14.4",
    {"nats": math.log(12), "looks": 12 * (1 - (11 / 12) ** 24), "far": 2, "narrow": 0.3181},
    {"nats": "2.485 nats", "looks": "10.5", "far": "2", "narrow": "0.32"},
    {"nats": np.log(12), "looks": torch.tensor(10.51), "far": [2.0], "narrow": np.float32(0.318)},
    {"narrow": torch.tensor([0.3181]), "far": 2.0, "looks": "+10.5", "nats": 2.48},
    {"nats": {"log 12": 2.49}, "looks": 10.5, "far": "+2.0", "narrow": 0.31},
)
answers.refuse(
    "14.4",
    {"nats": 3.585, "looks": 10.5, "far": 2, "narrow": 0.318},
    {"nats": 2.485, "looks": 12, "far": 2, "narrow": 0.318},
    {"nats": 2.485, "looks": 10.5, "far": 4, "narrow": 0.318},
    {"nats": 2.485, "looks": 10.5, "far": 2, "narrow": 0.693},
    {"nats": 12, "looks": 10.5, "far": 2, "narrow": 0.318},
    {"nats": 2.485, "looks": 10.5, "far": 2},
)


# 14.5: the broken loss


def total(netE, latent, adv, fake_enc, B, mu, logvar):
    return adv + 10 * F.l1_loss(fake_enc, B) + 0.01 * bicyclegan.kl_loss(mu, logvar) + 0.5 * latent


def frozen_latent(netE, fake, z):
    still = copy.deepcopy(netE).requires_grad_(False)
    return F.l1_loss(still(fake)[0], z)


@answers.accept("14.5")
def with_a_copied_encoder(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, mu + torch.exp(0.5 * logvar) * eps), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.accept("14.5")
def with_both_outputs_in_one_pass(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    both = netG(torch.cat([A, A]), torch.cat([mu + logvar.exp().sqrt() * eps, z]))
    fake_enc, fake = both.chunk(2)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.accept("14.5")
def with_scores_by_hand(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, torch.addcmul(mu, (logvar / 2).exp(), eps)), netG(A, z)
    scores = [*netD(A, fake_enc), *netD2(A, fake)]
    adv = sum((1 - s).pow(2).mean() for s in scores)
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.accept("14.5")
def by_rsample(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    sd = torch.distributions.Normal(mu, (logvar * 0.5).exp()).scale
    fake_enc, fake = netG(A, mu + sd * eps), netG(A, z)
    adv = bicyclegan.g_loss(netD2(A, fake)) + bicyclegan.g_loss(netD(A, fake_enc))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.accept("14.5")
def with_frozen_discriminators(netG, netE, netD, netD2, A, B, eps, z):
    for net in (netD, netD2):
        net.requires_grad_(False)
    return with_a_copied_encoder(netG, netE, netD, netD2, A, B, eps, z)


answers.refuse("14.5", broken_loss)


@answers.refuse("14.5")
def still_with_the_variance(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, mu + logvar.exp() * eps), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.refuse("14.5")
def still_encoded_for_d2(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, mu + (logvar / 2).exp() * eps), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake_enc))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.refuse("14.5")
def with_both_judged_by_d(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, mu + (logvar / 2).exp() * eps), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD(A, fake))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


@answers.refuse("14.5")
def with_an_encoder_that_learns(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, mu + (logvar / 2).exp() * eps), netG(A, z)
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake))
    return total(netE, F.l1_loss(netE(fake)[0], z), adv, fake_enc, B, mu, logvar)


@answers.refuse("14.5")
def with_detached_random_outputs(netG, netE, netD, netD2, A, B, eps, z):
    mu, logvar = netE(B)
    fake_enc, fake = netG(A, mu + (logvar / 2).exp() * eps), netG(A, z).detach()
    adv = bicyclegan.g_loss(netD(A, fake_enc)) + bicyclegan.g_loss(netD2(A, fake))
    return total(netE, frozen_latent(netE, fake, z), adv, fake_enc, B, mu, logvar)


test_right, test_wrong, test_enough = answers.tests()
