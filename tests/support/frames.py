"""Reads frames, and counts how deep recursion can go."""

import pytest


def chain(frame):
    """Return the names of the functions of a frame and its callers."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def deepest():
    """Return roughly how deep recursion can go here before RecursionError."""
    depth = 0

    def recurse():
        nonlocal depth
        depth += 1
        recurse()

    with pytest.raises(RecursionError):
        recurse()
    return depth
