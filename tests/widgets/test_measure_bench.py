"""The measuring bench hands the measures what its sliders ask for."""

from types import SimpleNamespace

import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from gancourse.errors import CourseError
from gancourse.widgets import MeasureBench

GREY = torch.linspace(-1, 1, 400)
PICTURES = GREY[:, None, None, None].expand(400, 1, 16, 16)
LABELS = torch.arange(400) % 4


def judge():
    """Features are the mean and the spread of a picture."""
    head = torch.nn.Linear(2, 4)
    return SimpleNamespace(
        features=lambda x: torch.stack([x.mean((1, 2, 3)), x.std((1, 2, 3))], 1),
        net=SimpleNamespace(head=head.requires_grad_(False)),
    )


MEASURES = {
    "how many": lambda real, features, logits: len(features),
    "different": lambda real, features, logits: len(features[:, 0].unique()),
    "mean": lambda real, features, logits: features[:, 0].mean(),
    "classes": lambda real, features, logits: logits.shape[1],
}


def bench(**options):
    given = {"real": PICTURES, "pictures": PICTURES, "labels": LABELS} | options
    return MeasureBench(**given, judge=judge(), measures=MEASURES)


def test_an_undisturbed_bench_measures_all_samples():
    found = bench().best
    assert (found["how many"], found["different"], found["classes"]) == (400, 400, 4)
    assert found["mean"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("control", "value", "name", "wanted"),
    [
        ("samples", 100, "how many", 100),
        ("classes lost", 3, "different", 100),
        ("copies", 98, "different", 8),
        ("copies", 98, "how many", 400),
        ("blur", 2.0, "different", 400),
    ],
)
def test_a_slider_changes_what_is_measured(control, value, name, wanted):
    tool = bench()
    tool.ui  # noqa: B018 - makes the widget
    tool.controls[control].value = value
    setting = {key: slider.value for key, slider in tool.controls.items()}
    assert tool.measure(**setting)[name] == wanted
    assert f"<b>{wanted:.2f}</b>" in tool.panel.value and not tool.problem.value


def test_blur_leaves_a_flat_picture_and_changes_noise():
    noise = torch.rand(400, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    tool = bench(pictures=noise)
    spreads = [tool.features[blur][:, 1].mean().item() for blur in (0.0, 2.0)]
    assert spreads[1] < spreads[0] / 3
    torch.testing.assert_close(tool.blurred[1.5], gaussian_blur(noise, [13, 13], [1.5, 1.5]))


def test_a_still_picture_has_a_row_for_each_measure_and_a_column_for_each_slider():
    axes = bench().still().axes
    assert len(axes) == 4 * len(MEASURES)
    assert [ax.get_title(loc="left") for ax in axes[:4]] == [
        "samples", "blur, pixels", "classes lost", "copies, %"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options", [{"labels": LABELS[:-1]}, {"pictures": PICTURES[:300], "labels": LABELS[:300]}]
)
def test_too_little_is_refused(options):
    with pytest.raises(CourseError, match="400 pictures"):
        bench(**options)
