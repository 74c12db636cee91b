"""Sphinx: `make docs` builds the pages into build/docs, with warnings as errors."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent

project = "Perovshell"
author = "Perovshell developers"
release = metadata.version("perovshell")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["figures/*"]
html_theme = "furo"
html_title = "Perovshell"
html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def write_command_line(_app: object) -> None:
    """Write the reference of the command line from the code."""
    target = HERE / "reference" / "command-line.md"
    command = [sys.executable, "-m", "typer", "perovshell.cli", "utils", "docs"]
    made = subprocess.run(
        [*command, "--name", "perovshell"], capture_output=True, text=True, check=True
    )
    text = made.stdout.replace("# `perovshell`", "# Command line", 1)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def setup(app: object) -> None:
    """Register the hook."""
    app.connect("builder-inited", write_command_line)  # type: ignore[attr-defined]
