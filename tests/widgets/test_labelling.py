"""The labelling explorer hands the learners what is labelled, and shows what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gancourse.errors import CourseError
from gancourse.widgets import Labelling, labelling

POINTS = torch.tensor([[-1.0, 0.0], [-0.5, 0.5], [0.5, -0.5], [1.0, 0.0]])
CLASSES = torch.tensor([0, 0, 1, 1])
LABELS = [(-1.0, 0.0, 0), (1.0, 0.0, 1)]
RIGHT_HALF = torch.tensor([[0.1, 0.9], [0.1, 0.9]])


def learner(*heats):
    given = []

    def learn(x, y):
        given.append((x.tolist(), y.tolist()))
        yield from heats

    learn.given = given
    return learn


def live(learners=None, **options):
    tool = Labelling(
        POINTS, CLASSES, learners or {"a": learner(RIGHT_HALF)}, **{"labels": LABELS} | options
    )
    tool.ui  # noqa: B018 - makes the widget
    return tool


def click(tool, **content):
    """Do what the browser does."""
    plane = next(iter(tool.planes.values()))
    plane._handle_custom_msg(content, [])


def test_a_click_labels_the_point_under_it_with_the_chosen_class():
    learn = learner(RIGHT_HALF)
    tool = live({"a": learn}, extent=(-2.0, 2.0, -1.0, 3.0))
    click(tool, action="class", number=2)
    click(tool, action="choose", x=0.25, y=0.75)
    assert tool.labels[-1] == (-1.0, 0.0, 1)
    assert learn.given[-1] == ([[-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], [0, 1, 1])


def test_labels_can_be_taken_back_one_by_one_and_all():
    tool = live()
    click(tool, action="choose", x=0.5, y=0.5)
    click(tool, action="undo")
    assert tool.labels == LABELS
    tool.clear.click()
    assert tool.labels == [] and "one" in tool.state.value and "two" in tool.state.value


def test_nobody_learns_before_both_classes_have_a_label():
    learn = learner(RIGHT_HALF)
    tool = live({"a": learn}, labels=[])
    tool.add(0.0, 0.0, 0)
    assert not learn.given and "two" in tool.state.value
    tool.add(0.5, 0.0, 1)
    assert len(learn.given) == 1


def test_every_stage_of_learning_is_drawn():
    tool, seen = live({"a": learner(1 - RIGHT_HALF, RIGHT_HALF), "b": learner(RIGHT_HALF)}), []
    tool.planes["a"].observe(lambda change: seen.append(bytes(change.new)), "picture")
    tool.update()
    assert len({*seen}) == 2 and seen[-1][:2] == b"\xff\xd8"
    assert tool.heads["a"].value.startswith("100%") and tool.heads["b"].value.startswith("100%")


def test_the_share_of_points_in_their_class_is_counted():
    tool = live()
    assert tool.right(np.asarray(RIGHT_HALF)) == 1.0
    assert tool.right(np.asarray(1 - RIGHT_HALF)) == 0.0


def test_labels_have_a_limit():
    tool = live()
    for _ in range(20):
        tool.add(0.0, 0.0, 0)
    assert len(tool.labels) == 12


@pytest.mark.parametrize("heats", [[torch.full((2, 2), 1.5)], []])
def test_an_error_of_a_learner_is_shown_and_not_raised(heats):
    tool = live()
    tool.learners["a"] = learner(*heats)
    tool.redraw()
    assert "probabilities" in tool.problem.value


def test_the_still_picture_has_a_titled_panel_for_each_learner():
    tool = Labelling(POINTS, CLASSES, {"a": learner(RIGHT_HALF), "b": learner(RIGHT_HALF)})
    assert [ax.get_title("left") for ax in tool.still().axes] == ["a", "b"]
    tool = live({"a": learner(RIGHT_HALF)})
    assert tool.still().axes[0].get_title("left") == "a\n100% of the points right"


@pytest.mark.parametrize(
    "change",
    [{"points": POINTS[:, :1]}, {"classes": CLASSES + 1}, {"learners": {}},
     {"labels": [(0, 0, 3)]}],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change):
    given = {"points": POINTS, "classes": CLASSES, "learners": {"a": learner(RIGHT_HALF)}}
    with pytest.raises(CourseError):
        Labelling(**given | change)


def test_the_planes_can_be_reached_with_the_keyboard():
    tool = live()
    assert "Space labels" in tool.planes["a"].label
    source = Path(labelling.__file__).with_name("plane.js").read_text(encoding="utf-8")
    assert all(key in source for key in ("tabIndex = 0", "ArrowLeft", "Backspace", "pointerup"))
