"""greenlet.inspect.dump_on_signal(): the handler is written in C++."""

import signal
import sys

from . import _greenlet

_DEFAULT = getattr(signal, "SIGUSR1", 0)  # Windows has no such signal
_files: dict[int, object] = {}  # by signal: keeps a file open


def dump_on_signal(signum=_DEFAULT, file=None, *, chain=False):
    """Write the stacks of all greenlets of the process to a file whenever a signal arrives.

    The handler is written in C++. It allocates nothing, takes no lock and does not need the GIL, so it answers while C
    code blocks, in a deadlock, and in the middle of a switch. If the environment variable GREENLET_DUMP_ON_SIGNAL
    names a signal, such as ``USR1``, the first import of the package does this for standard error.

    Parameters:
        signum: the signal's number.
        file: an object with ``fileno()``, or a file descriptor; standard error by default. It must stay open: an
            object is kept alive.
        chain: True if the handler that was set before is called afterwards.
    Raises:
        ValueError: there is no such signal, or it ends the process (SIGSEGV, SIGKILL and the like).
        OSError: the handler can't be set.
        NotImplementedError: no process can send another one a signal (Windows).
        RuntimeError: `file` is not given, and the program has no standard error.
    """
    if file is None:
        file = sys.stderr
        if file is None:
            raise RuntimeError("sys.stderr is None")
    descriptor = file if isinstance(file, int) else file.fileno()
    if not isinstance(file, int):
        file.flush()
    _greenlet.outside.dump_on_signal(signum, descriptor, chain)
    _files[signum] = file


def stop_dumping_on_signal(signum=_DEFAULT):
    """Undo `dump_on_signal()`: set the handler that was set before it.

    Parameters:
        signum: the signal's number.
    Returns:
        False if dump_on_signal() was not called for this signal.
    Raises:
        ValueError: there is no such signal.
        NotImplementedError: no process can send another one a signal (Windows).
    """
    stopped = _greenlet.outside.stop_dumping_on_signal(signum)
    _files.pop(signum, None)
    return stopped
