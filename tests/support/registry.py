"""Cases that a program registers with a decorator, so that tests list them by name."""


class Registry(dict):
    """Functions by name; an instance is used as their decorator."""

    def __init__(self):
        self._needs = {}

    def __call__(self, function=None, *, needs=None):
        """Register *function*. *needs* maps a description of each requirement to whether it is met."""
        if function is None:
            return lambda function: self(function, needs=needs)
        self[function.__name__] = function
        self._needs[function.__name__] = needs or {}
        return function

    def missing(self, name):
        """Return the descriptions of the requirements that are not met."""
        return ", ".join(what for what, is_here in self._needs[name].items() if not is_here)
