"""The interpolation explorer shows the walk that its controls describe, and writes it as a GIF."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from noise import Noise
from PIL import Image, ImageSequence

from gancourse.errors import CourseError
from gancourse.latent import lerp, slerp
from gancourse.plotting.tiles import Tiles
from gancourse.widgets import Interpolation

DIM = 16


def generate(z):
    """Draw z itself: each number is a pixel of a 4 x 4 image."""
    return z.reshape(-1, 1, 4, 4)


def ends(first=0, last=1):
    return [Noise(generate, DIM).draw_z(1, seed)[0] for seed in (first, last)]


def live(draw=generate, **options):
    tool = Interpolation(Noise(draw, DIM), **options)
    tool.ui  # noqa: B018 - makes the widget
    return tool


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(float)


def as_drawn(z, side):
    grey = ((z.reshape(4, 4).clamp(-1, 1) + 1) * 127.5).round()
    return grey.repeat_interleave(side // 4, 0).repeat_interleave(side // 4, 1).numpy()


@pytest.mark.parametrize("walk, way", [("linear", lerp), ("spherical", slerp)])
def test_the_images_are_those_of_the_walk(walk, way):
    tool = Interpolation(Noise(generate, DIM), seed=4)
    images = tool.images([0, 0.3, 1], walk=walk)
    assert torch.allclose(images, generate(way(*ends(4, 5), torch.tensor([0, 0.3, 1]))))
    images = tool.images([0.7], ends=(9, 2), walk=walk)
    assert torch.allclose(images, generate(way(*ends(9, 2), 0.7)))


def test_the_large_picture_is_where_the_slider_stands():
    tool = live(frames=5)
    for index, t in ((0, 0.0), (3, 0.75), (4, 1.0)):
        tool.slider.index = index
        large = pixels(tool.large.value)
        assert np.abs(large - as_drawn(slerp(*ends(), t), len(large))).max() <= 1
        assert f"at t = {t:.2f}" in tool.plot.value


def test_another_way_or_another_end_is_another_walk():
    tool = live(frames=5)
    seen = [(tool.large.value, tool.strip.image.value)]

    def changed():
        seen.append((tool.large.value, tool.strip.image.value))
        return all(new != old for new, old in zip(seen[-1], seen[-2], strict=True))

    tool.walk.value = "linear"
    assert changed()
    tool.ends[1].value = 7
    assert changed()
    assert np.abs(pixels(seen[-1][0])[0, 0] - 127.5 * (1 + lerp(*ends(0, 7), 0.5)[0])) <= 1
    tool.ends[0].value = 3
    assert changed()


def test_the_strip_is_not_drawn_again_while_only_the_slider_moves():
    asked = []
    tool = live(lambda z: asked.append(len(z)) or generate(z))
    asked.clear()
    tool.slider.index = 7
    assert asked == [1]


def test_a_picture_of_the_strip_leads_to_its_place():
    tool = live(frames=17)
    for index, cell in enumerate(tool.strip.cells):
        cell.click()
        assert tool.slider.value == index / 4
        marked = ["gancourse-here" in cell._dom_classes for cell in tool.strip.cells]
        assert marked == [i == index for i in range(5)]


def test_new_gives_one_end_a_seed_that_neither_had_and_keeps_the_other():
    tool = live(seed=5)
    tool.renewals[0].click()
    assert [box.value for box in tool.ends] == [7, 6]
    tool.renewals[1].click()
    assert [box.value for box in tool.ends] == [7, 8]


def test_the_length_of_z_is_told_with_its_least_and_what_is_usual():
    tool = live()
    a, b = ends()
    tool.walk.value = "linear"
    (label,) = re.findall('aria-label="(.*?)"', tool.plot.value)
    here, t, least, low, high = map(float, re.findall(r"\d+\.\d+", label))
    assert (here, t) == (round(lerp(a, b, 0.5).norm().item(), 2), 0.5)
    path = lerp(a, b, torch.linspace(0, 1, 1001))
    assert least == pytest.approx(path.norm(dim=1).min().item(), abs=0.02)
    lengths = (torch.rand(20_000, DIM) * 2 - 1).norm(dim=1)
    assert 0.98 < ((lengths > low) & (lengths < high)).float().mean() < 0.998


def test_the_gif_goes_there_and_back_and_holds_at_the_ends():
    tool = Interpolation(Noise(generate, DIM), frames=6)
    gif = Image.open(io.BytesIO(tool.gif()))
    frames = [np.asarray(f.convert("L")).astype(float) for f in ImageSequence.Iterator(gif)]
    times = [f.info["duration"] for f in ImageSequence.Iterator(gif)]
    assert len(frames) == 2 * 6 - 2 and gif.info["loop"] == 0
    for frame, i in zip(frames, [0, 1, 2, 3, 4, 5, 4, 3, 2, 1], strict=True):
        expected = as_drawn(slerp(*ends(), i / 5), len(frame))
        assert np.abs(frame - expected).max() <= 8  # of 255, in 256 colours for all
    assert times[0] == times[5] > times[1] == times[9]


def test_saving_says_where_offers_the_same_file_and_replaces_none(tmp_path):
    tool = live(frames=3, out_dir=tmp_path / "walks")
    tool.save_button.click()
    first = tmp_path / "walks" / "walk-0-1-spherical.gif"
    before = first.read_bytes()
    assert str(first) in tool.saved.value
    offered = re.search('download="(.*?)" href="data:image/gif;base64,(.*?)"', tool.saved.value)
    assert offered[1] == first.name
    assert base64.b64decode(offered[2]) == before
    tool.walk.value = "linear"
    tool.save_button.click()
    tool.save_button.click()
    names = sorted(path.name for path in first.parent.iterdir())
    assert names == ["walk-0-1-linear-2.gif", "walk-0-1-linear.gif", first.name]
    assert first.read_bytes() == before


def test_without_a_folder_it_saves_in_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live(frames=3).save_button.click()
    assert [path.name for path in tmp_path.iterdir()] == ["walk-0-1-spherical.gif"]


def test_a_folder_that_cannot_be_made_is_explained_beside_the_button(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    tool = live(frames=3, out_dir=tmp_path / "file")
    tool.save_button.click()
    assert "cannot make the folder" in tool.problem.value
    assert tool.saved.value == ""


def test_the_still_picture_has_both_ways():
    (tiles,) = Interpolation(Noise(generate, DIM)).still().findobj(Tiles)
    assert tiles.labels == ["linear", "spherical"]
    assert tiles.heads[::2] == ["t = 0", "t = 0.5", "t = 1"]
    assert np.array_equal(tiles.rows[0][0], tiles.rows[1][0])
    assert not np.array_equal(tiles.rows[0][2], tiles.rows[1][2])


def test_too_few_frames_are_explained():
    with pytest.raises(CourseError, match="frames must be 3"):
        Interpolation(Noise(generate, DIM), frames=2)


def test_a_generator_of_something_else_is_explained():
    with pytest.raises(CourseError, match=r"must return images .* not \(1, 16\)"):
        Interpolation(Noise(lambda z: z, DIM))
