"""pynvim and Debian's Neovim: each request handler is a greenlet, and makes requests that cause further requests.

Neovim is the child of this process, and runs a plugin in Python as a child of its own.
"""

import os
import sys
import threading
import time
from pathlib import Path

import pynvim
from session import check, figure

PLUGIN = """
import pynvim

@pynvim.plugin
class Plugin:
    def __init__(self, nvim):
        self.nvim = nvim

    @pynvim.function("Factorial", sync=True)
    def factorial(self, args):
        return 1 if args[0] <= 1 else args[0] * self.nvim.call("Factorial", args[0] - 1)

    @pynvim.function("Raises", sync=True)
    def raises(self, args):
        raise ValueError("in the plugin")

    @pynvim.command("Append", nargs="1", sync=True)
    def append(self, args):
        self.nvim.current.buffer.append(args[0] + self.nvim.eval("&filetype"))

    @pynvim.autocmd("BufEnter", pattern="*.watched", eval="expand('<afile>')", sync=True)
    def entered(self, name):
        self.nvim.vars["entered"] = name
"""


def install_plugin() -> None:
    """Write Neovim's start-up file, which names the plugin and the interpreter."""
    folder = Path.cwd() / "plugins" / "rplugin" / "python3"
    folder.mkdir(parents=True)
    (folder / "plugin.py").write_text(PLUGIN)
    Path("init.vim").write_text(
        f"set runtimepath+={Path.cwd() / 'plugins'}\nlet g:python3_host_prog = '{sys.executable}'\n"
    )
    os.environ["NVIM_RPLUGIN_MANIFEST"] = str(Path.cwd() / "rplugin.vim")
    os.environ["XDG_STATE_HOME"] = os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = str(Path.cwd())


def start() -> pynvim.Nvim:
    return pynvim.attach("child", argv=["nvim", "--embed", "--headless", "-n", "-u", "init.vim"])


def text(nvim) -> None:
    buffer = nvim.current.buffer
    buffer[:] = [f"line {number}" for number in range(1000)]
    nvim.command("%s/line/LINE/")
    assert buffer[:] == [f"LINE {number}" for number in range(1000)]
    buffer[:] = []


def many_requests(nvim) -> None:
    begin = time.monotonic()
    for number in range(2000):
        assert nvim.eval(f"{number} * 2") == number * 2
    figure("requests/s", round(2000 / (time.monotonic() - begin)))
    assert (
        nvim.exec_lua("local sum = 0 for _, n in ipairs(...) do sum = sum + n end return sum", list(range(100))) == 4950
    )


def errors_of_neovim(nvim) -> None:
    for wrong in ("call NoSuchFunction()", "nosuchcommand"):
        try:
            nvim.command(wrong)
        except pynvim.NvimError as error:
            assert "E117" in str(error) or "E492" in str(error), error
        else:
            raise AssertionError("the error is lost")
    assert nvim.eval("1") == 1


def run_loop(nvim, first, requested=None, notified=None):
    """Run *first* within the loop, and return its result."""
    results = []

    def begin():
        try:
            results.append(first())
        finally:
            nvim.stop_loop()

    nvim.run_loop(requested or (lambda *_: None), notified or (lambda *_: None), begin)
    return results[0]


def requests_within_requests(nvim) -> None:
    channel = nvim.channel_id
    depths = []

    def requested(name, arguments):
        (n,) = arguments
        depths.append(n)
        return 1 if n <= 1 else n * nvim.call("rpcrequest", channel, "factorial", n - 1)

    assert run_loop(nvim, lambda: nvim.call("rpcrequest", channel, "factorial", 15), requested) == 1307674368000
    assert depths == list(range(15, 0, -1))


def errors_of_a_handler(nvim) -> None:
    def requested(name, arguments):
        if arguments == [3]:
            raise ZeroDivisionError("in a handler")
        return nvim.call("rpcrequest", nvim.channel_id, "next", arguments[0] + 1)

    def first():
        try:
            return nvim.call("rpcrequest", nvim.channel_id, "next", 0)
        except pynvim.NvimError as error:
            return str(error)

    assert "in a handler" in run_loop(nvim, first, requested)
    assert nvim.eval("2") == 2


def notifications_whose_handlers_ask(nvim) -> None:
    seen = []

    def notified(name, arguments):
        seen.append(nvim.eval(f"{arguments[0]} + 1"))
        if len(seen) == 50:
            nvim.stop_loop()

    def first():
        for number in range(50):
            nvim.call("rpcnotify", nvim.channel_id, "news", number)

    nvim.run_loop(lambda *_: None, notified, first)
    assert sorted(seen) == list(range(1, 51)), seen


def calls_from_a_thread(nvim) -> None:
    results = []

    def called(number):
        results.append(nvim.eval(f"{number} * 3"))
        if len(results) == 20:
            nvim.stop_loop()

    thread = threading.Thread(target=lambda: [nvim.async_call(called, number) for number in range(20)])
    nvim.run_loop(lambda *_: None, lambda *_: None, thread.start)
    thread.join()
    assert sorted(results) == [number * 3 for number in range(20)]


def a_plugin(nvim) -> None:
    assert nvim.call("Factorial", 10) == 3628800
    try:
        nvim.call("Raises")
    except pynvim.NvimError as error:
        assert "in the plugin" in str(error)
    else:
        raise AssertionError("the error of the plugin is lost")
    nvim.command("set filetype=text")
    nvim.command("Append word-")
    assert nvim.current.buffer[-1] == "word-text"
    nvim.command("edit! some.watched")
    assert nvim.vars["entered"] == "some.watched"
    assert [nvim.call("Factorial", n) for n in range(1, 8)] == [1, 2, 6, 24, 120, 720, 5040]


def main() -> None:
    install_plugin()
    with check("Neovim finds the plugin"):
        nvim = start()
        nvim.command("UpdateRemotePlugins")
        nvim.close()
        assert "Factorial" in Path("rplugin.vim").read_text()
    nvim = start()
    for step in (
        text,
        many_requests,
        errors_of_neovim,
        requests_within_requests,
        errors_of_a_handler,
        notifications_whose_handlers_ask,
        calls_from_a_thread,
        a_plugin,
    ):
        with check(step.__name__.replace("_", " ")):
            step(nvim)
    with check("Neovim ends"):
        try:
            nvim.command("qall!")
        except EOFError as error:
            assert "return_code = 0" in str(error), error
        else:
            raise AssertionError("it goes on")


if __name__ == "__main__":
    main()
