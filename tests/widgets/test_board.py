"""A board's pictures stand where the buttons over them are."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse.widgets.board import GAP, Board, fitting


def greys(n, side=4, channels=1):
    """Make n images, each of one grey, the i-th of i / n from black to white."""
    return (torch.arange(n) / n * 2 - 1).reshape(n, 1, 1, 1).expand(n, channels, side, side)


def shown(board):
    return Image.open(io.BytesIO(board.image.value))


def test_pictures_stand_row_by_row_in_equal_cells():
    board = Board(["picture"] * 6, 3, 20, print)
    board.show(greys(6))
    picture = shown(board)
    pitch = 2 * (20 + GAP)
    assert picture.size == (3 * pitch, 2 * pitch)  # two pixels for each of the page
    pixels = np.asarray(picture)
    for i in range(6):
        row, column = divmod(i, 3)
        cell = pixels[row * pitch : (row + 1) * pitch, column * pitch : (column + 1) * pitch]
        inner = cell[GAP:-GAP, GAP:-GAP]
        assert inner.shape == (40, 40, 3)
        assert np.abs(inner.astype(int) - i / 6 * 255).max() <= 1


@pytest.mark.parametrize("side", [32, 64])
def test_every_pixel_arrives_as_a_square(side):
    pixels = torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(0))
    board = Board(["picture"], 1, 96, print)
    board.show(pixels / 127.5 - 1)
    factor, wanted = 192 // side, pixels[0].permute(1, 2, 0).byte().numpy()
    found = np.asarray(shown(board))[GAP:-GAP, GAP:-GAP]
    assert board.image.format == shown(board).format.lower() == "png"
    assert np.array_equal(found, wanted.repeat(factor, 0).repeat(factor, 1))


@pytest.mark.parametrize("room, tile", [(200, 96), (96, 96), (95, 64), (50, 48), (29, 29)])
def test_a_board_takes_the_largest_tile_that_fits(room, tile):
    assert fitting(room) == tile


def test_a_click_says_which_picture_and_each_has_a_name():
    clicked = []
    board = Board(["first", "second", "third"], 2, 20, clicked.append)
    board.cells[2].click()
    board.cells[0].click()
    assert clicked == [2, 0]
    assert [cell.description for cell in board.cells] == ["first", "second", "third"]


def test_marks_replace_each_other():
    board = Board(["picture"] * 3, 3, 20, print)
    board.mark({0: "a", 2: "here"})
    board.mark({1: "b"})
    classes = [set(cell._dom_classes) for cell in board.cells]
    assert classes == [{"gancourse-cell"}, {"gancourse-cell", "gancourse-b"}, {"gancourse-cell"}]


@pytest.mark.parametrize("shape, size", [((4, 8), (40, 20)), ((8, 4), (20, 40))])
def test_pictures_that_are_not_square_keep_their_shape(shape, size):
    board = Board(["picture"], 1, 20, print)
    white = torch.ones(1, 1, *shape)
    rows, columns = np.nonzero(np.asarray(board.picture(white))[..., 0])
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == size
