"""What a user or a card asks for."""

from dataclasses import replace

import pytest

from gancourse import trained
from gancourse.errors import CourseError, DataError
from gancourse.gans import cyclegan, pix2pix, spade, stargan, vanilla
from gancourse.trained import asked, show
from gancourse.trained.generator import TrainedGenerator
from gancourse.training import runtime


def made(module, data="nothing", **changes):
    cfg = replace(module.PRESETS["smoke"], **changes)
    gan = module.build(cfg, runtime.start("cpu", 0), **trained.frozen_for(module))
    return TrainedGenerator(gan, module, {"data": data})


@pytest.mark.parametrize(
    "name", ["digits", "toons", "toons:500", "small2large", "small2large:scenes:80", "emoji:noto"]
)
def test_data_of_the_course_may_be_named_by_a_card(name):
    assert asked.is_of_the_course(name)


PATHS = ["folder:/", "pairs:/a", "unpaired:/a,/b", "small2large:folder:/", "/etc", "folder"]
PATHS += ["mapped:/a", "boxes:/a,/b.json", "mapped", "boxes"]
LARGE = ["toons:1000000000", "toons:" + "9" * 5_000, "small2large:toons:100001"]


@pytest.mark.parametrize("name", [*PATHS, *LARGE, "nothing", "", None, "x\0"])
def test_paths_and_large_numbers_may_not_be_named_by_a_card(name):
    assert not asked.is_of_the_course(name)


@pytest.mark.parametrize("data", ["folder:/", "unpaired:~", "toons:1000000000", "unknown"])
def test_what_a_card_may_not_name_is_asked_for(data, monkeypatch):
    monkeypatch.setattr(show, "load", None)  # is not reached
    with pytest.raises(DataError, match="with --input PICTURES and --given labels VALUE"):
        show.examples(made(stargan, data=data), 4)


def test_who_trained_on_own_maps_is_told_where_they_can_be_given():
    with pytest.raises(DataError, match=r"needs map, .*In Python, .*sample\(map="):
        show.examples(made(spade, data="mapped:/a"), 4)


def test_data_that_do_not_fit_the_networks_are_named():
    with pytest.raises(DataError, match=r"takes input as .*3 x 32 x 32.* has .*1 x 32 x 32"):
        show.examples(made(pix2pix, data="sketch2face:8"), 4)


def test_one_picture_shows_so_many_samples_as_can_be_seen():
    assert asked.how_many(made(vanilla)) == 64
    assert asked.how_many(made(vanilla), 2_048) == 2_048
    with pytest.raises(CourseError, match=r"1 to 2,048 samples .*not 1,000,000\. .*sample\(n\)"):
        asked.how_many(made(vanilla), 1_000_000)
    large = made(cyclegan, image_size=256)
    assert asked.how_many(large) == 2**21 // (3 * 256 * 256)
    with pytest.raises(CourseError, match="one picture shows 1 to 10 samples"):
        asked.how_many(large, 11)


def test_only_points_of_the_plane_are_drawn():
    with pytest.raises(CourseError, match="points of 3 numbers"):
        asked.how_many(made(vanilla, sample_shape=(3,)))
