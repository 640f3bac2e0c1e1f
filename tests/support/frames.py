"""Reads frames, and counts how many fit."""

import pytest


def chain(frame):
    """The names of the functions of a frame and of those that called it."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def deepest():
    """About how deep one can recurse here before RecursionError."""
    depth = 0

    def recurse():
        nonlocal depth
        depth += 1
        recurse()

    with pytest.raises(RecursionError):
        recurse()
    return depth
