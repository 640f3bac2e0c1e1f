"""A session with Playwright's synchronous API in Debian's Chromium. Each call of the API switches greenlets.

usage: browse.py PAGES
"""

import http.server
import shutil
import sys
import threading
import time

import psutil
from playwright.sync_api import Error, sync_playwright
from session import MIB, check, figure

PAGES = {
    "/": b"<title>Start</title><h1 id=h>Start</h1><a href=/other>other</a>"
    b"<button onclick=\"h.textContent='clicked'\">click</button>"
    b"<button id=ask onclick=\"h.textContent=prompt('name?','x')\">ask</button>"
    b"<button id=sure onclick=\"h.textContent=confirm('sure?')\">sure</button>"
    b"<button id=log onclick=\"console.log('one');console.log('two')\">log</button>"
    b"<a id=file href=/file download>file</a>",
    "/other": b"<title>Other</title><script>fetch('/data')</script>",
    "/data": b"data",
}
FILE = bytes(range(256)) * 400


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        body = FILE if path == "/file" else PAGES.get(path, b"<title>none</title>")
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if path == "/file" else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def serve() -> str:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def navigation(page, url):
    page.goto(url)
    assert page.title() == "Start"
    page.click("text=other")
    page.wait_for_url("**/other")
    assert page.title() == "Other"
    page.go_back()
    assert page.text_content("h1") == "Start"


def clicks(page, url):
    page.goto(url)
    page.get_by_role("button", name="click").click()
    assert page.text_content("h1") == "clicked"


def dialogs(page, url):
    page.goto(url)
    page.once("dialog", lambda dialog: dialog.accept(dialog.message + dialog.default_value))
    page.click("#ask")
    assert page.text_content("h1") == "name?x"
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.click("#sure")
    assert page.text_content("h1") == "false"


def downloads(page, url):
    page.goto(url)
    with page.expect_download() as expected:
        page.click("#file")
    with open(expected.value.path(), "rb") as file:
        assert file.read() == FILE


def nested_handlers(page, url):
    """Handlers call the browser, and so switch, and cause events whose handlers do the same."""
    page.goto(url)
    seen = []

    def on_console(message):
        seen.append(message.text)
        if message.text == "one":
            page.evaluate("console.log('three')")
        assert page.title() == "Start"
        assert page.evaluate("1 + 1") == 2
        seen.append(message.text + " handled")

    def on_route(route):
        assert page.evaluate("1 + 2") == 3
        route.fulfill(body="from the handler")

    page.on("console", on_console)
    page.route("**/data", on_route)
    page.click("#log")
    assert page.evaluate("fetch('/data').then(answer => answer.text())") == "from the handler"
    deadline = time.monotonic() + 10
    while len(seen) < 6 and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert sorted(seen) == ["one", "one handled", "three", "three handled", "two", "two handled"], seen
    page.unroute("**/data")
    page.remove_listener("console", on_console)


def exception_in_a_handler(page, url):
    page.goto(url)

    def raises(dialog):
        dialog.accept()
        raise ZeroDivisionError("in a handler")

    page.once("dialog", raises)
    try:
        page.click("#sure")
        page.wait_for_timeout(50)
    except ZeroDivisionError:
        pass
    assert page.evaluate("6 * 7") == 42  # the session continues


def error_of_the_browser(page, url):
    page.goto(url)
    try:
        page.evaluate("nothing.here")
    except Error as error:
        assert "nothing is not defined" in str(error)
    else:
        raise AssertionError("the error of the page is lost")


def two_browsers(page, url, launch):
    with launch() as other:
        pages = [page, other.new_page()]
        for number in range(20):
            pages[number % 2].goto(f"{url}/?{number}")
        for one in pages:
            one.click("text=click")
            assert one.text_content("h1") == "clicked"
    assert page.title() == "Start"


def many_pages(browser, url, count):
    process, samples = psutil.Process(), []
    context, begin = browser.new_context(), time.monotonic()
    for number in range(count):
        page = context.new_page()
        page.goto(f"{url}/?{number}")
        page.click("text=click")
        assert page.text_content("h1") == "clicked"
        page.close()
        samples.append(process.memory_info().rss / MIB)
    figure("pages/s", round(count / (time.monotonic() - begin), 1))
    figure("resident memory of the script, MiB", round(samples[-1], 1))
    growth = samples[-1] - samples[count // 5]
    figure("growth over the last four fifths of the pages, MiB", round(growth, 2))
    assert growth < 0.1 * samples[-1], f"memory grew by {growth:.1f} MiB"


def main(count: int) -> None:
    url = serve()
    with sync_playwright() as playwright:

        def launch():
            # Chromium refuses to run sandboxed as root.
            return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        with launch() as browser:
            page = browser.new_page()
            for step in (
                navigation,
                clicks,
                dialogs,
                downloads,
                nested_handlers,
                exception_in_a_handler,
                error_of_the_browser,
            ):
                with check(step.__name__.replace("_", " ")):
                    step(page, url)
            with check("two browsers in one thread"):
                two_browsers(page, url, launch)
            with check(f"{count} pages in a row with memory flat"):
                many_pages(browser, url, count)


if __name__ == "__main__":
    main(int(sys.argv[1]))
