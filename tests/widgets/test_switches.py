"""Switches hand the network the target that they show."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import Switches

NAMES = ["glasses", "black", "blond", "happy", "sad"]
ONE_OF = {"hair": ["black", "blond"], "mood": [None, "happy", "sad"]}
LABELS = torch.tensor([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 1, 0, 0, 0]])
PICTURES = torch.linspace(-0.6, 0.6, 3)[:, None, None, None].expand(3, 3, 8, 8)


class Recorder:
    """Draws pictures half as bright, and keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, images, target):
        self.asked.append((round(images.mean().item(), 3), target[0].tolist()))
        return images / 2


def live(translate=None, **options):
    options = {"labels": LABELS, "one_of": ONE_OF} | options
    tool = Switches(translate or Recorder(), NAMES, options.pop("images", PICTURES), **options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def photo(size=(60, 40), form="PNG", colour="red", **options):
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, form, **options)
    return data.getvalue()


def send(tool, name, content, **facts):
    """Do what the browser does with a file."""
    message = {"name": name, "size": len(content)} | facts
    sent = [] if len(content) > tool.chooser.most else [memoryview(content)]
    tool.chooser._handle_custom_msg(message, sent)


def test_switches_stand_as_the_pictures_labels_say():
    tool = live()
    assert tool.boxes["glasses"].value is True
    assert [choice.value for choice in tool.choices.values()] == ["blond", ""]
    tool.shelf.cells[1].click()
    assert tool.boxes["glasses"].value is False
    assert [choice.value for choice in tool.choices.values()] == ["black", "sad"]


def test_the_network_is_asked_once_for_what_is_switched():
    network = Recorder()
    tool = live(network)
    network.asked.clear()
    tool.boxes["glasses"].value = False
    tool.choices["hair"].value = "black"
    tool.choices["mood"].value = "happy"
    tool.shelf.cells[1].click()
    assert network.asked == [
        (-0.6, [0, 0, 1, 0, 0]),
        (-0.6, [0, 1, 0, 0, 0]),
        (-0.6, [0, 1, 0, 1, 0]),
        (0.0, [0, 1, 0, 0, 1]),
    ]


def test_the_answer_is_shown_and_its_distance_told():
    tool = live()
    pixels = np.asarray(Image.open(io.BytesIO(tool.after.value)))
    assert pixels.mean() / 127.5 - 1 == pytest.approx(-0.3, abs=0.01)
    (moved,) = re.findall(r"<b>([\d.]+)</b> of 255 levels", tool.status.value)
    assert float(moved) == pytest.approx(127.5 * 0.3, abs=0.1)
    assert tool.problem.value == ""


def test_reset_puts_the_switches_back_and_asks_once():
    network = Recorder()
    tool = live(network)
    tool.boxes["glasses"].value = False
    tool.choices["mood"].value = "sad"
    network.asked.clear()
    tool.reset.click()
    assert network.asked == [(-0.6, [1, 0, 1, 0, 0])]
    assert tool.choices["mood"].value == ""


def test_without_labels_nothing_is_on_but_the_first_of_each_group():
    assert live(labels=None).target().tolist() == [[0, 1, 0, 0, 0]]


def test_a_judge_sets_the_switches_and_tells_what_it_finds():
    def detect(images):
        return torch.tensor([[0.9, 0.2, 0.4, 0.6, 0.7]])

    tool = live(labels=None, detect=detect)
    assert tool.target().tolist() == [[1, 0, 1, 0, 0]]  # hair is always one; mood may stay
    assert "glasses 90 %, blond 40 %." in tool.status.value


def test_ones_own_picture_is_turned_cropped_and_switched():
    network = Recorder()
    tool = live(network)
    picture = Image.new("RGB", (80, 40), "blue")
    picture.paste("red", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn to the right: red is then above blue
    data = io.BytesIO()
    picture.save(data, "PNG", exif=exif)
    send(tool, "me.png", data.getvalue())
    assert tool.own.shape == (1, 3, 8, 8)
    assert tool.own[0, :, 1, 4].tolist() == [1, -1, -1]
    assert tool.own[0, :, 6, 4].tolist() == [-1, -1, 1]
    assert tool.picked == 3
    assert "me.png" in tool.received.value
    tool.boxes["glasses"].value = True
    assert network.asked[-1][1] == [1, 1, 0, 0, 0]
    tool.shelf.cells[0].click()
    tool.shelf.cells[3].click()
    assert tool.picked == 3 and tool.problem.value == ""


def test_ones_own_picture_becomes_grey_where_the_others_are():
    tool = live(images=PICTURES[:, :1])
    send(tool, "green.png", photo(colour=(0, 255, 0)))
    assert tool.own.shape == (1, 1, 8, 8)
    assert tool.own.mean().item() == pytest.approx(2 * 0.587 - 1, abs=0.01)


@pytest.mark.parametrize(
    "name, content, facts, message",
    [
        ("notes.png", b"some text", {}, "notes.png cannot be read"),
        ("empty.jpg", b"", {}, "empty: 0 bytes"),
        ("me.heic", photo(), {}, "save it as JPEG or PNG"),
        ("half.jpg", photo((200, 200), "JPEG")[:400], {}, "half.jpg cannot be read"),
        ("page.png", b"<svg></svg>", {}, "a drawing in XML"),
        ("<b>.png", b"text", {}, "&lt;b&gt;.png"),
        ("big.png", bytes(9_000_001), {}, "big.png has 9.0 MB"),
        ("gone.png", b"", {"problem": "it has moved"}, "it has moved"),
        ("../" * 9 + "x\0.png", b"text", {}, "not a picture"),
    ],
)
def test_a_wrong_file_is_explained_and_changes_nothing(name, content, facts, message):
    tool = live()
    shown = tool.before.value
    send(tool, name, content, **facts)
    assert message in tool.received.value
    assert (tool.own, tool.picked, tool.before.value) == (None, 0, shown)
    send(tool, "good.jpg", photo(form="JPEG"))
    assert "good.jpg" in tool.received.value and "alert" not in tool.received.value
    assert tool.picked == 3


def test_ones_own_picture_cannot_be_chosen_before_there_is_one():
    tool = live()
    tool.shelf.cells[3].click()
    assert "choose a file" in tool.problem.value
    assert tool.picked == 0
    assert "gancourse-empty" in tool.shelf.cells[3]._dom_classes


def test_without_upload_there_is_no_place_for_ones_own_picture():
    tool = live(upload=False)
    assert len(tool.shelf.cells) == 3
    assert not hasattr(tool, "chooser")


def test_the_still_picture_switches_one_attribute_at_a_time():
    network = Recorder()
    tool = Switches(network, NAMES, PICTURES, labels=LABELS, one_of=ONE_OF)
    network.asked.clear()
    figure = tool.still()
    assert [tiles.heads for tiles in figure.findobj(Tiles)] == [
        ["picture", "glasses on/off"],
        ["picture", "black", "blond"],
        ["picture", "happy", "sad"],
    ]
    assert [target for _, target in network.asked[::2]] == [  # of the first of two pictures
        [0, 0, 1, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 0, 1, 1, 0],
        [1, 0, 1, 0, 1],
    ]


def test_the_still_picture_leaves_out_no_label():
    moods = [f"mood {i}" for i in range(14)]
    tool = Switches(lambda x, c: x, moods, PICTURES, one_of={"mood": moods})
    (tiles,) = tool.still().findobj(Tiles)
    assert tiles.heads == ["picture", *moods]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"names": ["a", "a"]}, "names .* different"),
        ({"names": []}, "names"),
        ({"one_of": {"hair": ["black", "grey"]}}, "one_of .*'grey'.*glasses"),
        ({"one_of": {"a": ["black"], "b": ["black"]}}, "one_of .* once"),
        ({"labels": LABELS[:2]}, r"labels .* \(3, 5\), not \(2, 5\)"),
        ({"labels": 2 * LABELS - 1}, "labels must be 0 or 1"),
        ({"one_of": {"hair": []}}, "'hair' of one_of"),
        ({"images": PICTURES[0]}, "images"),
        ({"translate": lambda x, t: x[:, :1]}, "translate .* same shape"),
        ({"translate": lambda x, t: t}, r"translate\(images, \(1, 5\)\)"),
        ({"detect": lambda x: torch.ones(5)}, r"detect .* \(1, 5\)"),
    ],
)
def test_what_does_not_fit_is_explained(change, message):
    given = {"translate": Recorder(), "names": NAMES, "images": PICTURES} | change
    with pytest.raises(CourseError, match=message):
        Switches(**given)
