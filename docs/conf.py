"""The documentation site: `make docs` builds it with Sphinx."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "extensions"))

project = "greenlet"
author = "the authors of this package"
copyright = "the authors, MIT licence"
release = version = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "docstrings", "stubs"]
exclude_patterns = ["extensions", "drawings", "plots", "requirements.txt"]
default_role = "py:obj"
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the extension `stubs` writes signatures with the types of the stubs

# Prompts are not copied, nor is what a program prints.
copybutton_prompt_text = r">>> |\.\.\. |\$ |\(gdb\) "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"greenlet {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
