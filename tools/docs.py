"""Builds the documentation site in build/docs/html, with Sphinx in an environment of its own.

usage: PYTHON -m tools docs [--links] [--screenshots [PAGE...]] [--dark]

A warning is an error. So are a link to a page or a heading that does not exist, and a public name of the package that
no page of the reference describes. --links also looks at the links to other sites. --screenshots shows each PAGE (such
as tutorial/index; by default all) in Debian's Chromium, 1280 and 390 pixels wide, and stores the pictures in
build/docs/screenshots; a page that is wider than its window is an error. --dark takes them in the dark colours.
"""

import html
import os
import re
import shutil
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

from tools import BUILD, ROOT, debian, environment
from tools.usage import parser

SITE = BUILD / "docs"
WIDTHS = (1280, 390)

# Prints the public names of the modules, and of their classes.
NAMES = """
import importlib
for module in ("greenlet", "greenlet.aio", "greenlet.generators", "greenlet.inspect", "greenlet.stackless"):
    found = importlib.import_module(module)
    for name in found.__all__:
        print(f"{module}.{name}")
        value = getattr(found, name)
        if isinstance(value, type):
            for member, attribute in vars(value).items():
                is_also_elsewhere = isinstance(attribute, type) or getattr(found, member, None) is attribute
                if not (member.startswith("_") or is_also_elsewhere or type(attribute).__name__ == "_tuplegetter"):
                    print(f"{module}.{name}.{member}")
"""

# Shows a page in a frame, which may be narrower than a window of the browser can be.
FRAME = """<!DOCTYPE html><title>not run</title>
<iframe style="width:{width}px;height:{height}px;border:0" src="{page}"></iframe>
<script>onload = () => {{
const page = document.querySelector("iframe").contentDocument.documentElement;
document.title = page.scrollWidth - page.clientWidth;
}}</script>"""


def package_alone(python: Path) -> Path:
    """Return a folder with nothing but the package that *python* has, for the environment of Sphinx."""
    command = [python, "-c", "import greenlet; print(greenlet.__path__[0])"]
    installed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    folder = SITE / "package"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "greenlet"
    link.unlink(missing_ok=True)
    link.symlink_to(installed)
    return folder


def sphinx(python: Path, package: Path, builder: str) -> bool:
    command = [python, "-m", "sphinx", "--builder", builder, "--fail-on-warning", "--quiet"]
    places = ["--doctree-dir", SITE / "doctrees", ROOT / "docs", SITE / builder]
    return subprocess.run([*command, *places], env={**os.environ, "PYTHONPATH": str(package)}).returncode == 0


def described() -> set[str]:
    """Return the names of the site's inventory. Its lines, after a header of four, are compressed."""
    inventory = (SITE / "html" / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}


def names_are_described(python: Path) -> bool:
    names = subprocess.run([python, "-c", NAMES], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    missing = sorted(set(names) - described())
    for name in missing:
        print(f"no page of docs/reference/ describes {name}")
    return not missing


def take_screenshots(pages: list[str], is_dark: bool) -> bool:
    """Take pictures of *pages*. Returns False if one is wider than its window; raises RuntimeError without Chromium."""
    if not shutil.which("chromium"):
        debian.install("chromium")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise RuntimeError("there is no Chromium here (Debian's package chromium)")
    root, pictures = SITE / "html", SITE / "screenshots"
    pages = pages or sorted(str(path.relative_to(root).with_suffix("")) for path in root.rglob("*.html"))
    missing = [page for page in pages if not (root / f"{page}.html").is_file()]
    if missing:
        raise RuntimeError(f"no such page: {', '.join(missing)}")
    pictures.mkdir(exist_ok=True)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            for width in WIDTHS:
                dark = "-dark" if is_dark else ""
                picture = pictures / f"{page.replace('/', '-')}-{width}{dark}.png"
                beyond = photograph(chromium, root / f"{page}.html", width, picture, Path(folder), is_dark)
                if beyond != "0":
                    print(f"{page}: {beyond} pixels wider than {width}")
                    good = False
    print(f"screenshots of {len(pages)} pages in {pictures.relative_to(ROOT)}")
    return good


def photograph(chromium: str, page: Path, width: int, picture: Path, folder: Path, is_dark: bool) -> str:
    """Return by how many pixels the page is wider than its window."""
    height = 1800
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width, height=height, page=html.escape(page.as_uri())))
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += ["--hide-scrollbars", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000"]
    command += ["--blink-settings=preferredColorScheme=0"] if is_dark else []
    command += [f"--screenshot={picture}", f"--window-size={width + 16},{height + 16}", "--dump-dom", frame.as_uri()]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    title = re.search("<title>(.*?)</title>", done.stdout)
    return title[1] if title else f"not shown ({done.stderr.strip()[-200:]}): unknown"


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--links", action="store_true")
    parsed.add_argument("--screenshots", nargs="*", metavar="PAGE")
    parsed.add_argument("--dark", action="store_true")
    options = parsed.parse_args(arguments)
    ours, python = environment.ours(), environment.docs()
    began = time.monotonic()
    package = package_alone(ours)
    good = sphinx(python, package, "html") and names_are_described(ours)
    if options.links:
        good = sphinx(python, package, "linkcheck") and good
    if good and options.screenshots is not None:
        good = take_screenshots(options.screenshots, options.dark)
    print(f"docs: {'passed' if good else 'FAILED'}, {time.monotonic() - began:.0f} s, build/docs/html/index.html")
    return 0 if good else 1
