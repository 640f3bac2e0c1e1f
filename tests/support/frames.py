"""Reads frames."""


def chain(frame):
    """The names of the functions of a frame and of those that called it."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names
