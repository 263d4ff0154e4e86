"""Right and wrong answers to the exercises of lesson 2."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers
from torch import nn

from gancourse.exercises import lesson_02
from gancourse.exercises.lesson_02 import broken_sample
from gancourse.gans import blocks, dcgan

answers = Answers(2)


answers.accept("2.1", dcgan.train_step)


def a_step(gan, batch, run, *, loss_d=None, loss_g=None, fresh=False, g_first=False):
    """Take a step with other losses, of D and the fakes, or in another order."""
    real = batch["real"]

    def draw():
        return gan.netG(dcgan.draw_z(gan.cfg, len(real)))

    def update_d(fake):
        loss = (loss_d or right_d)(gan.netD, real, fake.detach())
        gan.opt_d.zero_grad()
        loss.backward()
        gan.opt_d.step()
        return {"D/adv": loss.detach()}

    def update_g(fake):
        loss = (loss_g or right_g)(gan.netD, fake)
        gan.opt_g.zero_grad()
        loss.backward()
        gan.opt_g.step()
        return {"G/adv": loss.detach()}

    fake = draw()
    if g_first:
        return update_g(fake) | update_d(draw())
    return update_d(fake) | update_g(draw() if fresh else fake)


def right_d(netD, real, fake):
    return dcgan.d_loss(netD(real), netD(fake))


def right_g(netD, fake):
    return dcgan.g_loss(netD(fake))


@answers.accept("2.1")
def fresh_fakes_for_g(gan, batch, run):
    return a_step(gan, batch, run, fresh=True)


@answers.accept("2.1")
def g_before_d(gan, batch, run):
    return a_step(gan, batch, run, g_first=True)


@answers.accept("2.1")
def losses_by_binary_cross_entropy(gan, batch, run):
    def opinion(logits, real):
        goal = torch.full_like(logits, float(real))
        return F.binary_cross_entropy_with_logits(logits, goal)

    def loss_d(netD, real, fake):
        return opinion(netD(real), True) + opinion(netD(fake), False)

    return a_step(
        gan, batch, run, loss_d=loss_d, loss_g=lambda netD, fake: opinion(netD(fake), True)
    )


@answers.accept("2.1")
def ds_loss_in_two_backward_passes(gan, batch, run):
    real = batch["real"]
    fake = gan.netG(dcgan.draw_z(gan.cfg, len(real)))
    gan.opt_d.zero_grad()
    F.softplus(-gan.netD(real)).mean().backward()
    F.softplus(gan.netD(fake.detach())).mean().backward()
    gan.opt_d.step()
    gan.opt_g.zero_grad()
    loss_g = right_g(gan.netD, fake)
    loss_g.backward()
    gan.opt_g.step()
    return {"G/adv": loss_g.detach()}


@answers.accept("2.1")
def without_detach_but_with_cleared_gradients(gan, batch, run):
    fake = gan.netG(dcgan.draw_z(gan.cfg, len(batch["real"])))
    loss_d = right_d(gan.netD, batch["real"], fake)
    gan.opt_d.zero_grad()
    loss_d.backward(retain_graph=True)
    gan.opt_d.step()
    gan.opt_g.zero_grad()
    loss_g = right_g(gan.netD, fake)
    loss_g.backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@answers.refuse("2.1")
def one_mixed_batch(gan, batch, run):
    def loss_d(netD, real, fake):
        return dcgan.d_loss(*netD(torch.cat([real, fake])).chunk(2))

    return a_step(gan, batch, run, loss_d=loss_d)


@answers.refuse("2.1")
def real_and_fake_swapped(gan, batch, run):
    def loss_d(netD, real, fake):
        return dcgan.d_loss(netD(fake), netD(real))

    return a_step(gan, batch, run, loss_d=loss_d)


@answers.refuse("2.1")
def the_saturating_loss(gan, batch, run):
    return a_step(gan, batch, run, loss_g=lambda netD, fake: -F.softplus(netD(fake)).mean())


@answers.refuse("2.1")
def g_helps_d(gan, batch, run):
    return a_step(gan, batch, run, loss_g=lambda netD, fake: -right_g(netD, fake))


@answers.refuse("2.1")
def detached_for_g_too(gan, batch, run):
    def loss_g(netD, fake):
        return right_g(netD, fake.detach())

    return a_step(gan, batch, run, loss_g=loss_g)


@answers.refuse("2.1")
def ds_gradients_are_never_cleared(gan, batch, run):
    fake = gan.netG(dcgan.draw_z(gan.cfg, len(batch["real"])))
    loss_d = right_d(gan.netD, batch["real"], fake.detach())
    loss_d.backward()
    gan.opt_d.step()
    gan.opt_g.zero_grad()
    loss_g = right_g(gan.netD, fake)
    loss_g.backward()
    gan.opt_g.step()
    return {"D/adv": loss_d.detach(), "G/adv": loss_g.detach()}


@answers.refuse("2.1")
def d_in_evaluation_mode(gan, batch, run):
    gan.netD.eval()
    losses = a_step(gan, batch, run)
    gan.netD.train()
    return losses


def slope(netD, real, **options):
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(netD(real).sum(), real, **options)
    return gradient.flatten(1)


answers.accept(
    "2.2", lambda netD, real: slope(netD, real, create_graph=True).pow(2).sum() / 2 / len(real)
)


@answers.accept("2.2")
def by_the_norm(netD, real):
    return 0.5 * (slope(netD, real, create_graph=True).norm(dim=1) ** 2).mean()


@answers.accept("2.2")
def a_picture_at_a_time(netD, real):
    return torch.stack([by_the_norm(netD, one[None]) for one in real]).mean().view(1)


@answers.accept("2.2")
def by_grad_outputs(netD, real):
    real = real.clone().requires_grad_(True)
    logits = netD(real)
    (gradient,) = torch.autograd.grad(logits, real, torch.ones_like(logits), create_graph=True)
    return torch.einsum("nchw,nchw->n", gradient, gradient).mean().div(2)


@answers.accept("2.2")
def by_functional_differentiation(netD, real):
    gradient = torch.func.vmap(torch.func.grad(lambda x: netD(x[None])[0]))(real)
    return gradient.square().flatten(1).sum(1).mean() / 2


@answers.accept("2.2")
def as_the_package_has_it(netD, real):
    real = real.detach().requires_grad_()
    return blocks.r1_penalty(real, netD(real))


@answers.refuse("2.2")
def without_the_half(netD, real):
    return 2 * by_the_norm(netD, real)


@answers.refuse("2.2")
def mean_over_pixels(netD, real):
    return slope(netD, real, create_graph=True).square().mean() / 2


@answers.refuse("2.2")
def norm_not_squared(netD, real):
    return slope(netD, real, create_graph=True).norm(dim=1).mean() / 2


@answers.refuse("2.2")
def no_graph(netD, real):
    return slope(netD, real).square().sum(1).mean() / 2


@answers.refuse("2.2")
def sum_over_pictures(netD, real):
    return slope(netD, real, create_graph=True).square().sum() / 2


@answers.refuse("2.2")
def of_the_mean_logit(netD, real):
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(netD(real).mean(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean() / 2


@answers.refuse("2.2")
def a_norm_of_one(netD, real):
    return (slope(netD, real, create_graph=True).norm(dim=1) - 1).square().mean() / 2


@answers.refuse("2.2")
def by_backward(netD, real):
    real = real.detach().requires_grad_()
    netD(real).sum().backward(create_graph=True)
    return real.grad.square().flatten(1).sum(1).mean() / 2


def layer(side, weights, stamps):
    return {"side": side, "weights": weights, "stamps": stamps}


answers.accept(
    "2.3",
    layer(16, 819_200, (2, 3)),
    layer("16 pixels", "819200", "3 and 2"),
    layer((16, 16), 25 * 256 * 128, {2, 3}),
    layer(torch.tensor(16), np.int64(819_200), np.array([3, 2])),
    layer("16x16", 819_200.0, [torch.tensor(3), torch.tensor(2)]),
)
answers.refuse(
    "2.3",
    layer(8, 819_200, (3, 2)),
    layer(16, 25 * 128 + 256, (3, 2)),
    layer(16, 819_200, (2, 2)),
    layer(16, 819_200 + 128, (3, 2)),
    layer(15, 819_200, (3, 2)),
    layer(16, 819_200, (3, 2, 3)),
    layer(16.4, 819_200, (3, 2)),
)


@answers.accept("2.4")
def of_a_copy(netG, z):
    with torch.no_grad():
        return copy.deepcopy(netG).eval()(z)


@answers.accept("2.4")
def norms_alone(netG, z):
    norms = [m for m in netG.modules() if isinstance(m, nn.BatchNorm1d) and m.training]
    for norm in norms:
        norm.eval()
    images = netG(z).detach()
    for norm in norms:
        norm.train()
    return images


@answers.accept("2.4")
@torch.inference_mode()
def in_inference_mode(netG, z):
    was = netG.training
    images = netG.eval()(z)
    netG.train(was)
    return images


@answers.accept("2.4")
def one_after_the_other(netG, z):
    return torch.cat([lesson_02.draw(netG, one[None]) for one in z])


@answers.accept("2.4")
@torch.no_grad()
def mode_kept_of_each_module(netG, z):
    modes = {module: module.training for module in netG.modules()}
    netG.eval()
    images = netG(z)
    for module, mode in modes.items():
        module.training = mode
    return images


@answers.accept("2.4")
def in_numpy(netG, z):
    return lesson_02.draw(netG, z).numpy()


answers.refuse("2.4", broken_sample)


@answers.refuse("2.4")
def left_in_eval(netG, z):
    with torch.no_grad():
        return netG.eval()(z)


@answers.refuse("2.4")
def statistics_of_the_batch(netG, z):
    """Restore the buffers, but normalise with the statistics of the batch."""
    kept = {name: value.clone() for name, value in netG.state_dict().items()}
    with torch.no_grad():
        images = netG(torch.cat([z, z]))[: len(z)]
    netG.load_state_dict(kept)
    return images


@answers.refuse("2.4")
def always_in_training_mode_afterwards(netG, z):
    with torch.no_grad():
        images = netG.eval()(z)
    netG.train()
    return images


@answers.refuse("2.4")
def with_its_graph(netG, z):
    was = netG.training
    images = netG.eval()(z)
    netG.train(was)
    return images


@answers.refuse("2.4")
def without_the_norms(netG, z):
    with torch.no_grad():
        return nn.Sequential(*(m for m in netG if not isinstance(m, nn.BatchNorm1d)))(z)


@answers.accept("2.5")
def bilinear(inputs, outputs):
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return nn.Sequential(up, nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect"))


@answers.accept("2.5")
def a_larger_kernel(inputs, outputs):
    up = nn.Upsample(scale_factor=2, mode="bicubic")
    return nn.Sequential(up, nn.Conv2d(inputs, outputs, 5, padding=2, bias=False))


@answers.accept("2.5")
class AClass(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding="same")

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2))


@answers.accept("2.5")
class Repeated(AClass):
    def forward(self, x):
        return self.conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@answers.accept("2.5")
def before_and_after(inputs, outputs):
    first = nn.Conv2d(inputs, inputs, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), lesson_02.block(inputs, outputs))


@answers.accept("2.5")
class TransposedWithStrideOne(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=1, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, size=[2 * side for side in x.shape[2:]]))


@answers.refuse("2.5")
def transposed(inputs, outputs):
    return nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=1)


@answers.refuse("2.5")
def transposed_with_a_kernel_of_four(inputs, outputs):
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1)


@answers.refuse("2.5")
def one_by_one(inputs, outputs):
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, kernel_size=1))


@answers.refuse("2.5")
def same_side(inputs, outputs):
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


@answers.refuse("2.5")
def convolved_then_enlarged(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.Upsample(scale_factor=2))


@answers.refuse("2.5")
def convolved_then_enlarged_smoothly(inputs, outputs):
    up = nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), up)


@answers.refuse("2.5")
def shuffled_pixels(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2))


answers.accept(
    "2.6", "a, b, d", "(a) (b) (d)", ["d", "b", "a"], "ABD", {"A", "b", "D"}, "a b and d"
)
answers.refuse("2.6", {"a", "b"}, {"a", "b", "c", "d"}, "e", "a, b, d, e", "none", [])

test_right, test_wrong, test_enough = answers.tests()
