from dataclasses import asdict, dataclass

import pytest

from gancourse import gans
from gancourse.errors import CheckpointError
from gancourse.files import schema


@dataclass(frozen=True, kw_only=True)
class Point:
    x: float
    ends: tuple[int, int] = (0, 1)


@pytest.mark.parametrize("name", gans.names())
@pytest.mark.parametrize("preset", ["smoke", "laptop", "paper"])
def test_every_preset_survives_being_written_and_read(name, preset):
    module = gans.find(name)
    cfg = module.PRESETS[preset]
    assert schema.read(module.Config, asdict(cfg), "a card", CheckpointError) == cfg


def test_a_list_becomes_the_declared_tuple():
    assert schema.read(Point, b'{"x": 1, "ends": [2, 3]}', "a point", ValueError) == Point(
        x=1.0, ends=(2, 3)
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"x": "1"}, "a point, x: Input should be a valid number, not '1'"),
        ({}, "a point, x: Field required"),
        ({"x": 1, "ends": [1]}, "a point, ends.1: Field required"),
        ({"x": True}, "x: Input should be a valid number, not True"),
        ([], "a point: Input should be an object"),
        ('{"x": 1', "a point: Invalid JSON"),
        ({"x": 1, "ends": [1, "b" * 99]}, "..."),
        ({"x": {1, 2}}, "a point is no JSON"),
        ("[" * 100_000, "a point: Invalid JSON"),
    ],
)
def test_a_value_of_another_shape_is_refused_and_named(value, says):
    with pytest.raises(CheckpointError) as caught:
        schema.read(Point, value, "a point", CheckpointError)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250
