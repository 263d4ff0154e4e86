"""Right and wrong answers to the exercises of lesson 2."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from answers import Answers
from torch import nn

from gancourse.exercises import lesson_02
from gancourse.exercises.lesson_02 import broken_sample

answers = Answers(2)


def layer(side, weights, stamps):
    return {"side": side, "weights": weights, "stamps": stamps}


answers.accept(
    "2.1",
    layer(16, 819_200, (2, 3)),
    layer("16 pixels", "819200", "3 and 2"),
    layer((16, 16), 25 * 256 * 128, {2, 3}),
    layer(torch.tensor(16), np.int64(819_200), np.array([3, 2])),
    layer("16x16", 819_200.0, [torch.tensor(3), torch.tensor(2)]),
)
answers.refuse(
    "2.1",
    layer(8, 819_200, (3, 2)),
    layer(16, 25 * 128 + 256, (3, 2)),
    layer(16, 819_200, (2, 2)),
    layer(16, 819_200 + 128, (3, 2)),
    layer(15, 819_200, (3, 2)),
    layer(16, 819_200, (3, 2, 3)),
    layer(16.4, 819_200, (3, 2)),
)


@answers.accept("2.2")
def as_a_list(kernel_size, stride, length):
    row = [0] * ((length - 1) * stride + kernel_size)
    for i in range(length):
        for j in range(kernel_size):
            row[i * stride + j] += 1
    return row


@answers.accept("2.2")
def counted_in_numpy(kernel_size, stride, length):
    return np.array(as_a_list(kernel_size, stride, length))


@answers.accept("2.2")
def with_numpys_convolution(kernel_size, stride, length):
    spread = np.zeros((length - 1) * stride + 1)
    spread[::stride] = 1
    return np.convolve(spread, np.ones(kernel_size))


@answers.accept("2.2")
def as_integers_in_a_tensor(kernel_size, stride, length):
    return torch.tensor(as_a_list(kernel_size, stride, length))


@answers.accept("2.2")
def as_a_row_of_a_batch(kernel_size, stride, length):
    return lesson_02.overlap(kernel_size, stride, length).view(1, 1, -1)


@answers.accept("2.2")
def one_count_at_a_time(kernel_size, stride, length):
    size = (length - 1) * stride + kernel_size
    return (sum(0 <= x - i * stride < kernel_size for i in range(length)) for x in range(size))


@answers.refuse("2.2")
def as_a_convolution(kernel_size, stride, length):
    return F.conv1d(
        torch.ones(1, 1, length), torch.ones(1, 1, kernel_size), stride=stride
    ).flatten()


@answers.refuse("2.2")
def without_overlap(kernel_size, stride, length):
    return torch.ones((length - 1) * stride + kernel_size)


@answers.refuse("2.2")
def stride_ignored(kernel_size, stride, length):
    count = F.conv_transpose1d(torch.ones(1, 1, length), torch.ones(1, 1, kernel_size)).flatten()
    size = (length - 1) * stride + kernel_size
    return F.pad(count, (0, max(0, size - len(count))))[:size]


@answers.refuse("2.2")
def the_mean_everywhere(kernel_size, stride, length):
    size = (length - 1) * stride + kernel_size
    return [kernel_size * length / size] * size


@answers.refuse("2.2")
def the_same_at_the_ends(kernel_size, stride, length):
    row = as_a_list(kernel_size, stride, length + 4 * kernel_size)
    size = (length - 1) * stride + kernel_size
    return row[2 * kernel_size * stride :][:size] if length > 1 else [1] * kernel_size


@answers.accept("2.3")
def of_a_copy(netG, z):
    with torch.no_grad():
        return copy.deepcopy(netG).eval()(z)


@answers.accept("2.3")
def norms_alone(netG, z):
    norms = [m for m in netG.modules() if isinstance(m, nn.BatchNorm1d) and m.training]
    for norm in norms:
        norm.eval()
    images = netG(z).detach()
    for norm in norms:
        norm.train()
    return images


@answers.accept("2.3")
@torch.inference_mode()
def in_inference_mode(netG, z):
    was = netG.training
    images = netG.eval()(z)
    netG.train(was)
    return images


@answers.accept("2.3")
def one_after_the_other(netG, z):
    return torch.cat([lesson_02.draw(netG, one[None]) for one in z])


@answers.accept("2.3")
@torch.no_grad()
def mode_kept_of_each_module(netG, z):
    modes = {module: module.training for module in netG.modules()}
    netG.eval()
    images = netG(z)
    for module, mode in modes.items():
        module.training = mode
    return images


@answers.accept("2.3")
def in_numpy(netG, z):
    return lesson_02.draw(netG, z).numpy()


answers.refuse("2.3", broken_sample)


@answers.refuse("2.3")
def left_in_eval(netG, z):
    with torch.no_grad():
        return netG.eval()(z)


@answers.refuse("2.3")
def statistics_of_the_batch(netG, z):
    """Restore the buffers, but normalise with the statistics of the batch."""
    kept = {name: value.clone() for name, value in netG.state_dict().items()}
    with torch.no_grad():
        images = netG(torch.cat([z, z]))[: len(z)]
    netG.load_state_dict(kept)
    return images


@answers.refuse("2.3")
def always_in_training_mode_afterwards(netG, z):
    with torch.no_grad():
        images = netG.eval()(z)
    netG.train()
    return images


@answers.refuse("2.3")
def with_its_graph(netG, z):
    was = netG.training
    images = netG.eval()(z)
    netG.train(was)
    return images


@answers.refuse("2.3")
def without_the_norms(netG, z):
    with torch.no_grad():
        return nn.Sequential(*(m for m in netG if not isinstance(m, nn.BatchNorm1d)))(z)


@answers.accept("2.4")
def bilinear(inputs, outputs):
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return nn.Sequential(up, nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect"))


@answers.accept("2.4")
def a_larger_kernel(inputs, outputs):
    up = nn.Upsample(scale_factor=2, mode="bicubic")
    return nn.Sequential(up, nn.Conv2d(inputs, outputs, 5, padding=2, bias=False))


@answers.accept("2.4")
class AClass(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding="same")

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2))


@answers.accept("2.4")
class Repeated(AClass):
    def forward(self, x):
        return self.conv(x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@answers.accept("2.4")
def before_and_after(inputs, outputs):
    first = nn.Conv2d(inputs, inputs, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), lesson_02.block(inputs, outputs))


@answers.accept("2.4")
class TransposedWithStrideOne(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=1, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, size=[2 * side for side in x.shape[2:]]))


@answers.refuse("2.4")
def transposed(inputs, outputs):
    return nn.ConvTranspose2d(inputs, outputs, 5, 2, padding=2, output_padding=1)


@answers.refuse("2.4")
def transposed_with_a_kernel_of_four(inputs, outputs):
    return nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1)


@answers.refuse("2.4")
def one_by_one(inputs, outputs):
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, kernel_size=1))


@answers.refuse("2.4")
def same_side(inputs, outputs):
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


@answers.refuse("2.4")
def convolved_then_enlarged(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.Upsample(scale_factor=2))


@answers.refuse("2.4")
def convolved_then_enlarged_smoothly(inputs, outputs):
    up = nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), up)


@answers.refuse("2.4")
def shuffled_pixels(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2))


answers.accept(
    "2.5", "a, b, d", "(a) (b) (d)", ["d", "b", "a"], "ABD", {"A", "b", "D"}, "a b and d"
)
answers.refuse("2.5", {"a", "b"}, {"a", "b", "c", "d"}, "e", "a, b, d, e", "none", [])

test_right, test_wrong, test_enough = answers.tests()
