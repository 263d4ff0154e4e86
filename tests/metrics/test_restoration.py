"""PSNR and SSIM of pictures with a known error."""

import pytest
import torch
from torchmetrics.image import PeakSignalNoiseRatio

from gancourse.data import load
from gancourse.errors import CourseError
from gancourse.metrics import psnr, ssim


def test_psnr_of_a_known_error():
    truth = torch.zeros(2, 3, 32, 32)
    step = 2 * 10 / (65.481 + 128.553 + 24.966)  # ten levels of Y
    assert psnr(truth, truth + step) == pytest.approx(20 * torch.log10(torch.tensor(25.5)).item())


def test_psnr_is_the_mean_over_pictures_and_leaves_the_border_out():
    truth = torch.zeros(2, 3, 20, 20)
    other = truth + torch.tensor([0.1, 0.4]).view(2, 1, 1, 1)
    each = [psnr(truth[i : i + 1], other[i : i + 1]) for i in (0, 1)]
    assert psnr(truth, other) == pytest.approx(sum(each) / 2)
    framed = other.clone()
    framed[..., :4, :] = 1
    assert psnr(truth, framed) == pytest.approx(psnr(truth, other))
    assert psnr(truth, framed, border=0) < psnr(truth, other)


def test_grey_pictures_are_measured_over_the_range_of_video():
    truth, other = torch.rand(1, 1, 24, 24), torch.rand(1, 1, 24, 24)
    plain = PeakSignalNoiseRatio(data_range=2.0)(other, truth).item()
    wider = 20 * torch.log10(torch.tensor(255 / 219)).item()
    assert psnr(truth, other, border=0) == pytest.approx(plain + wider, abs=1e-3)


def test_ssim_is_1_for_equal_pictures_and_falls_with_noise_and_blur():
    truth = load("toons", split="test", limit=4).images()
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    blurred = torch.nn.functional.avg_pool2d(truth, 5, 1, 2)
    assert ssim(truth, truth) == pytest.approx(1)
    assert ssim(truth, truth + 0.3 * noise) < ssim(truth, truth + 0.1 * noise) < 0.99
    assert ssim(truth, blurred) < 0.95


def test_pictures_of_two_shapes_and_too_small_ones_are_refused():
    one = torch.zeros(1, 3, 16, 16)
    for measure in (psnr, ssim):
        with pytest.raises(CourseError, match="one shape"):
            measure(one, one[..., :8])
    with pytest.raises(CourseError, match="leaves nothing"):
        psnr(one, one, border=8)
    with pytest.raises(CourseError, match="11 pixels"):
        ssim(one, one)
