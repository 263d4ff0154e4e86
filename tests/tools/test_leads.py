"""The first picture of each lesson is drawn from the weights that ship."""

import io
import re

import pytest
from PIL import Image

from tools import leads, sync


@pytest.mark.parametrize("lesson", leads.LEADS)
def test_the_picture_is_of_the_weights_that_ship(lesson):
    drawn = Image.open(leads.path_of(lesson))
    assert drawn.text[leads.MADE_BY] == leads.weights_of(lesson), "run: make leads"


@pytest.mark.parametrize("path", sync.find(), ids=lambda path: path.stem)
def test_it_is_the_first_picture_of_the_lesson(path):
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", sync.read(path).cells[0].source)
    assert pictures == [f"figures/{leads.path_of(path.name[:2]).name}"]


def test_it_is_drawn_in_the_size_of_the_file():
    drawn = Image.open(io.BytesIO(leads.draw("01")))
    assert drawn.size == Image.open(leads.path_of("01")).size
    assert drawn.text[leads.MADE_BY] == leads.weights_of("01")


def test_an_unknown_lesson_is_named():
    with pytest.raises(SystemExit, match=r"'9'.*01"):
        leads.main(["9"])
