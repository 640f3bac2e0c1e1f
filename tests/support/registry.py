"""Cases that a program registers with a decorator, so that tests list them by name."""


class Registry(dict):
    """Functions by name; used as their decorator."""

    def __init__(self):
        self._needs = {}

    def __call__(self, function=None, *, needs=None):
        """Registers *function*. *needs* maps what it needs, in words, to whether that is here."""
        if function is None:
            return lambda function: self(function, needs=needs)
        self[function.__name__] = function
        self._needs[function.__name__] = needs or {}
        return function

    def missing(self, name):
        """What the case needs and does not have here, in words."""
        return ", ".join(what for what, is_here in self._needs[name].items() if not is_here)
