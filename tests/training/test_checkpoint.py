"""What a checkpoint says of a run."""

from gancourse.training import checkpoint


def test_differences_names_old_and_new():
    lines = checkpoint.differences(
        {"lr": 1, "same": 2, "gone": 3}, {"lr": 2, "same": 2, "new": 4}, ignore=("new",)
    )
    assert lines == ["lr: 1 -> 2", "gone: 3 -> (absent)"]
