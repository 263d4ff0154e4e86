"""The arithmetic explorer adds and subtracts the faces that its groups hold."""

import io

import numpy as np
import pytest
import torch
from noise import Noise
from PIL import Image

from gancourse.errors import CourseError
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import Arithmetic

DIM = 4
SUGGEST = ([0, 1, 2], [3, 4], [5])


def generate(z):
    """Draw z itself: each number is a pixel of a 2 x 2 image."""
    return z.reshape(-1, 1, 2, 2)


def faces(n=24, seed=0):
    return Noise(generate, DIM).draw_z(n, seed)


def explorer(**options):
    return Arithmetic(Noise(generate, DIM), **({"candidates": 24} | options))


def live(**options):
    tool = explorer(**options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def drawn(board, index):
    """Read the four pixels of one picture of a board, as numbers in [-1, 1]."""
    sheet = np.asarray(Image.open(io.BytesIO(board.image.value)).convert("L"))
    pitch = len(sheet) // board.rows
    row, column = divmod(index, board.columns)
    cell = sheet[row * pitch : (row + 1) * pitch, column * pitch : (column + 1) * pitch]
    quarters = [round(pitch / 4), round(3 * pitch / 4)]
    return torch.tensor([[cell[y, x] for x in quarters] for y in quarters]).flatten() / 127.5 - 1


def near(pixels, z):
    return torch.allclose(pixels, z.clamp(-1, 1), atol=0.01)


def letters(tool):
    found = {}
    for index, cell in enumerate(tool.board.cells):
        for name in set(cell._dom_classes) - {"gancourse-cell"}:
            found[index] = name.removeprefix("gancourse-")
    return found


def test_the_sum_is_mean_a_minus_mean_b_plus_mean_c():
    z = faces()
    expected = z[:3].mean(0) - z[3:5].mean(0) + z[5]
    total = explorer(suggest=SUGGEST).total()
    assert torch.allclose(total[4], expected)


@pytest.mark.parametrize(
    "low, high, width", [(-1, 1, 0.25), (0, 4, 0.5), (None, None, 0.25 * 3**0.5)]
)
def test_the_eight_around_it_have_noise_of_a_quarter_of_half_the_range_of_z(low, high, width):
    generator = Noise(lambda z: z.reshape(-1, 1, 20, 20), 400, low, high)
    tool = Arithmetic(generator, suggest=SUGGEST)
    total = tool.total()
    change = (total - total[4])[[0, 1, 2, 3, 5, 6, 7, 8]]
    assert 0.95 * width < change.abs().max() <= width * 1.01
    assert change.abs().mean() == pytest.approx(width / 2, rel=0.05)
    assert len(change.unique(dim=0)) == 8
    assert torch.equal(tool.total(0.0), total[4].expand(9, -1))


def test_faces_means_and_sum_are_drawn_in_their_places():
    tool = live(suggest=SUGGEST)
    z = faces()
    for place, face in {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 6: 5}.items():
        assert near(drawn(tool.faces, place), z[face])
    for row, of in enumerate(SUGGEST):
        assert near(drawn(tool.averages, row), z[of].mean(0))
    assert near(drawn(tool.sum, 4), tool.total()[4])
    assert near(drawn(tool.sum, 0), tool.total()[0])
    assert near(drawn(tool.board, 23), z[23])
    assert tool.sum.ui.layout.visibility == "visible"


def test_clicks_fill_the_active_group_and_the_sum_appears_once_all_have_a_face():
    tool = live()
    assert tool.sum.ui.layout.visibility == "hidden"
    assert "A (with glasses) and B (without) and C (other person)" in tool.note.value
    tool.board.cells[7].click()
    tool.active.value = 1
    tool.board.cells[8].click()
    assert "C (other person)" in tool.note.value
    tool.active.value = 2
    tool.board.cells[9].click()
    assert letters(tool) == {7: "a", 8: "b", 9: "c"}
    assert tool.sum.ui.layout.visibility == "visible"
    z = faces()
    assert near(drawn(tool.sum, 4), z[7] - z[8] + z[9])
    assert tool.indices == [[7], [8], [9]]
    assert tool.problem.value == ""


def test_a_second_click_takes_a_face_out_and_a_click_for_another_group_moves_it():
    tool = live(suggest=SUGGEST)
    tool.board.cells[1].click()
    assert tool.indices == [[0, 2], [3, 4], [5]]
    tool.board.cells[3].click()
    assert tool.indices == [[0, 2, 3], [4], [5]]


@pytest.mark.parametrize("per_group", [1, 3, 5])
def test_a_full_group_gives_up_its_oldest_face(per_group):
    tool = live(per_group=per_group)
    for index in range(7):
        tool.board.cells[index].click()
    assert tool.indices[0] == list(range(7))[-per_group:]


def test_a_click_in_a_group_takes_that_face_out():
    tool = live(suggest=SUGGEST)
    tool.faces.cells[1].click()
    tool.faces.cells[4].click()
    assert tool.indices == [[0, 2], [3], [5]]
    tool.faces.cells[5].click()  # nothing is there
    assert tool.indices == [[0, 2], [3], [5]]
    empty = [i for i, cell in enumerate(tool.faces.cells) if "gancourse-empty" in cell._dom_classes]
    assert empty == [2, 4, 5, 7, 8]


def test_a_click_on_a_mean_lets_clicks_go_to_its_group():
    tool = live()
    tool.averages.cells[2].click()
    tool.board.cells[0].click()
    assert tool.indices == [[], [], [0]]


def test_groups_keep_their_faces_while_the_board_shows_others():
    tool = live(suggest=SUGGEST)
    before = tool.total()
    tool.new.click()
    assert near(drawn(tool.board, 0), faces(seed=1)[0])
    assert torch.equal(tool.total(), before)
    assert letters(tool) == {}
    tool.board.cells[0].click()
    assert letters(tool) == {0: "a"}
    old = faces()
    expected = torch.stack([old[1], old[2], faces(seed=1)[0]]).mean(0)
    assert torch.allclose(tool.means()[0], expected)
    tool.seed_box.value = 0
    assert letters(tool) == {1: "a", 2: "a", 3: "b", 4: "b", 5: "c"}


def test_clear_empties_all_groups():
    tool = live(suggest=SUGGEST)
    tool.clear.click()
    assert tool.indices == [[], [], []]
    assert tool.sum.ui.layout.visibility == "hidden"


def test_the_noise_moves_the_eight_and_not_the_sum():
    tool = live(suggest=SUGGEST)
    before = drawn(tool.sum, 4), drawn(tool.sum, 0)
    tool.noise.value = 1.0
    assert torch.equal(drawn(tool.sum, 4), before[0])
    assert not torch.equal(drawn(tool.sum, 0), before[1])


def test_the_noise_draws_the_sum_alone():
    asked = []
    tool = Arithmetic(
        Noise(lambda z: asked.append(len(z)) or generate(z), DIM), candidates=24, suggest=SUGGEST
    )
    tool.ui  # noqa: B018
    asked.clear()
    tool.noise.value = 1.0
    assert asked == [9]
    tool.remove(0)
    assert asked[1:] == [3 * tool.per_group + 3, 9]


def test_the_still_picture_has_the_groups_or_else_the_numbered_candidates():
    figure = explorer(suggest=SUGGEST, groups=("a cat", "no cat", "a dog")).still()
    groups, total = figure.findobj(Tiles)
    assert groups.heads == ["a cat", "− no cat", "+ a dog"]
    assert groups.labels == ["", "", "", "mean"] and total.shape == (3, 3)
    (tiles,) = explorer().still().findobj(Tiles)
    assert tiles.labels == ["0 to 7", "8 to 15", "16 to 23"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"suggest": ([0], [1])}, "suggest three lists"),
        ({"groups": ("one", "two")}, "groups must hold three"),
        ({"suggest": ([0], [1], [24])}, "suggest .* 0 to 23"),
        ({"suggest": ([0], [1], [0])}, "suggest .* different"),
        ({"suggest": ([0, 1, 2, 3], [4], [5])}, "suggest must hold 3"),
    ],
)
def test_what_does_not_fit_is_explained(options, message):
    with pytest.raises(CourseError, match=message):
        explorer(**options)
