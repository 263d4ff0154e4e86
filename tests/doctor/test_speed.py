"""How fast a machine is, also if it is busy, and what follows for the lessons."""

from types import SimpleNamespace

import pytest
import torch

from gancourse.doctor import speed


@pytest.fixture
def clock(monkeypatch):
    """A clock for time on the wall and one for computing, which only the test moves."""
    times = SimpleNamespace(wall=0.0, computing=0.0)
    monkeypatch.setattr(
        speed,
        "time",
        SimpleNamespace(perf_counter=lambda: times.wall, process_time=lambda: times.computing),
    )
    return times


def each_step(clock, monkeypatch, wall, computing=0.25, first=0):
    """Let each step take these seconds; the first ones 100 s."""
    steps = []

    def step(optimizer):
        steps.append(optimizer)
        early = len(steps) <= first
        clock.wall += 100.0 if early else wall(len(steps))
        clock.computing += 100.0 if early else computing

    monkeypatch.setattr(torch.optim.Adam, "step", step)


def test_the_speed_is_in_steps_per_second_and_leaves_out_the_slow_first_steps(clock, monkeypatch):
    each_step(clock, monkeypatch, lambda i: 0.25, first=5)
    assert speed.measure_speed("cpu", seconds=3.0) == (4.0, 1.0)


def test_a_busy_machine_is_as_fast_as_when_it_is_idle_and_said_to_be_busy(clock, monkeypatch):
    each_step(clock, monkeypatch, lambda i: 1.0)
    assert speed.measure_speed("cpu", seconds=3.0) == (4.0, 0.25)


def test_the_fastest_round_counts(clock, monkeypatch):
    each_step(clock, monkeypatch, lambda i: 0.25)
    slow = iter([9.0] * 8)

    def process_time():
        clock.computing += next(slow, 0.0)
        return clock.computing

    monkeypatch.setattr(speed.time, "process_time", process_time)
    assert speed.measure_speed("cpu", seconds=3.0).steps == 4.0


def test_it_measures_one_thread_and_restores_their_number(monkeypatch):
    before, seen = torch.get_num_threads(), set()
    torch.set_num_threads(3)
    monkeypatch.setattr(
        speed, "timed", lambda step, seconds: seen.add(torch.get_num_threads()) or (1, 1.0, 1.0)
    )
    try:
        assert speed.measure_speed("cpu") == (1.0, 1.0)
        assert (seen, torch.get_num_threads()) == ({1}, 3)
    finally:
        torch.set_num_threads(before)


def test_the_recorded_seconds_are_scaled_to_this_machines_speed(recorded):
    rows, faults = speed.estimates(15.0)
    assert faults == []
    assert rows == [
        {"lesson": "01_tiny", "preset": "smoke", "recorded": 20, "seconds": 40.0},
        {"lesson": "01_tiny", "preset": "laptop", "recorded": 300, "seconds": None},
        {"lesson": "01_tiny", "preset": "paper", "recorded": None, "seconds": None},
    ]


@pytest.mark.parametrize(("record", "fault"), [('{"seconds": {"smoke": "fast"}}', "'fast'")])
def test_a_record_of_another_form_is_a_fault_and_no_error(course, record, fault):
    head = '"nbformat": 4, "nbformat_minor": 5, "cells": []'
    text = f'{{{head}, "metadata": {{"gancourse": {record}}}}}'
    (course / "01_tiny.ipynb").write_text(text)
    rows, faults = speed.estimates(15.0)
    assert rows == []
    assert fault in faults[0]


def test_a_file_that_is_no_notebook_is_a_fault_and_no_error(course):
    (course / "01_tiny.ipynb").write_text("{")
    rows, faults = speed.estimates(15.0)
    assert rows == []
    assert "01_tiny.ipynb" in faults[0]


def test_a_course_without_lessons_is_a_fault(course):
    assert speed.estimates(15.0) == ([], [f"there are no lessons in {course}"])
