"""Recordings of switches: ``greenlet.inspect.record()``."""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
import tempfile
from types import TracebackType

from ._greenlet import inspect as _inspect
from ._recording_ring import read_ring, write_trace

DEFAULT_SIZE = 8 << 20

# Not every system has both.
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Recording:
    """A recording of switches, which ``record()`` has begun. As a context manager it ends with the block.

    Attributes:
        path: of the file that ``stop()`` writes.
        ring: the path of the temporary file that is written while the recording runs. ``stop()`` deletes it.
        switches: how many switches there were; None until the recording has ended.
        lost: how many of these, the oldest ones, are not in the file because the ring was full; None until then.
    """

    def __init__(self, path: str | os.PathLike[str], seconds: float | None, size: int) -> None:
        self.path = os.path.abspath(os.fsdecode(path))
        self.switches: int | None = None
        self.lost: int | None = None
        self._seconds = seconds
        existed = os.path.exists(self.path)
        # Opened now, so that an error comes before the recording. The old content is kept until stop().
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | _FLAGS, 0o666)
        try:
            self.ring = self._start(size)
        except BaseException:
            os.close(self._file)
            if not existed:
                os.unlink(self.path)
            raise
        atexit.register(self.stop)

    def _start(self, size: int) -> str:
        folder, name = os.path.split(self.path)
        descriptor, ring = tempfile.mkstemp(".ring", f"{name}.", folder)
        try:
            self._number = _inspect._start_recording(descriptor, size)
        except BaseException:
            os.close(descriptor)
            os.unlink(ring)
            raise
        os.close(descriptor)
        return ring

    def stop(self) -> None:
        """End the recording and write the file.

        Any thread and greenlet may call it. It does nothing if the recording has ended, or if this process is a child
        of the one that records. It is called when the interpreter ends.

        Raises:
            OSError: the file can't be written. The ring is kept then; ``recover()`` reads it.
        """
        if not _inspect._stop_recording(self._number):
            return
        atexit.unregister(self.stop)
        try:
            with open(self._file, "w", encoding="ascii", newline="\n") as file:
                if stat.S_ISREG(os.fstat(self._file).st_mode):
                    os.ftruncate(self._file, 0)
                ring = read_ring(self.ring)
                write_trace(ring, file, self._seconds)
        except OSError as error:
            error.add_note(f"The recording is still in {self.ring}; greenlet.inspect.recover() reads it.")
            raise
        self.switches, self.lost = ring.switches, ring.lost
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ring)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<greenlet.inspect.Recording to {self.path!r}, {'running' if self.switches is None else 'ended'}>"


def record(path: str | os.PathLike[str], *, seconds: float | None = None, size: int = DEFAULT_SIZE) -> Recording:
    """Record the switches of all threads of this interpreter, from now on, in Chrome's trace-event format.

    Threads that begin to use greenlets later are recorded too; other interpreters of the process are not. Perfetto,
    speedscope and chrome://tracing open the file: a row for each greenlet, when it ran and for how long, and who
    switched to whom. While the recording runs, the switches are in a ring of a fixed size in a temporary file beside
    it, which is also left by a process that crashes; see ``recover()``. The ``settrace`` slot is not used.

    Parameters:
        path: of the file, in JSON. It is replaced when the recording ends.
        seconds: write only the last seconds of the recording. None for as much as is in the ring.
        size: of the ring, in bytes, at least 262,144. A switch takes 32 bytes. When the ring is full, the oldest
            switches are overwritten; the file says how many were.
    Returns:
        The recording. It ends with ``stop()``, at the end of a ``with`` block, or when the interpreter ends.
    Raises:
        ValueError: the number of seconds is not positive, or the size is too small.
        RuntimeError: this interpreter records already.
        OSError: a file can't be written, or there is no room for the ring.
    """
    if seconds is not None and not seconds > 0:
        raise ValueError("seconds must be positive")
    return Recording(path, seconds, size)
