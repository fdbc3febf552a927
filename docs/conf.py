"""The documentation's site: python -m sphinx -W --keep-going -b html docs docs/_build/html."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from docutils.nodes import TextElement
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import badger_graph
import topologies

project = "badger-graph"
author = "the authors of badger-graph"
version = release = badger_graph.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "badger-graph"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_inherit_docstrings = False  # what implements an abstract method is described there
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_mock_imports = ["triton"]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes"]

API = Path(__file__).parent / "api"


DESCRIBED: dict[int, str] = {}
"""Every object by its id, and its name on the one page where it is, of the innermost package."""


def write_api(_: Sphinx) -> None:
    """Write a page for every package: what is new with it needs no change here."""
    packages = [package for root in (topologies, badger_graph) for package in below(root)]
    packages.sort(key=lambda package: -package.__name__.count("."))
    pages = {f"{package.__name__}.md": page(package) for package in packages}
    API.mkdir(exist_ok=True)
    for name, text in pages.items():
        file = API / name
        if not file.is_file() or file.read_text() != text:  # else Sphinx reads it again
            file.write_text(text)
    for file in set(API.glob("*.md")) - {API / name for name in pages}:
        file.unlink()


def below(package: ModuleType) -> list[ModuleType]:
    """A package and those in it."""
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return [package, *(importlib.import_module(one.name) for one in found if one.ispkg)]


def page(package: ModuleType) -> str:
    """The public names of a package, or where it has none, those of each of its modules."""
    blocks = [f"# {package.__name__}"]
    if names := public(package):
        own, elsewhere = [], []
        for name in names:
            full = f"{package.__name__}.{name}"
            described = DESCRIBED.setdefault(id(getattr(package, name)), full)
            home = described.rpartition(".")[0]
            if described == full:
                own.append(name)
            else:
                elsewhere.append(f"[`{name}`](project:{home}.md)")
        blocks.append(automodule(package.__name__, ", ".join(own)))
        if elsewhere:
            blocks.append(f"Also here: {', '.join(elsewhere)}.")
    else:
        modules = pkgutil.iter_modules(package.__path__, package.__name__ + ".")
        blocks.append(automodule(package.__name__))
        blocks += [automodule(module.name) for module in modules if not module.ispkg]
    return "\n\n".join(blocks) + "\n"


def public(package: ModuleType) -> list[str]:
    """What a package says that it holds, or else what it imports."""
    handed_on = (name for name, value in vars(package).items() if not isinstance(value, ModuleType))
    return getattr(package, "__all__", sorted(name for name in handed_on if name[0] != "_"))


def automodule(name: str, members: str = "") -> str:
    return f"```{{eval-rst}}\n.. automodule:: {name}\n   :members: {members}\n```"


def on_the_site(_: Sphinx, __: str, source: list[str]) -> None:
    """Files above this folder that are pages, too: links to them are right on GitHub and here."""
    for file, name in (("README", "index"), ("CONTRIBUTING",) * 2, ("CHANGELOG",) * 2):
        source[0] = source[0].replace(f"](../{file}.md", f"]({name}.md")


def without_fields(_: Sphinx, what: str, name: str, thing: object, skip: bool, __: object) -> bool:
    """A field of a named tuple is described where the tuple is, scikit-learn's by itself."""
    theirs = str(getattr(thing, "__module__", "")).startswith("sklearn.")
    return skip or theirs or type(thing).__name__ == "_tuplegetter"


def without_type(_: Sphinx, what: str, *more: Any) -> None:
    """Napoleon takes what comes before a colon in one line about a value for its type."""
    lines: list[str] = more[-1]
    types = [line for line in lines if line.startswith(":type: ")]
    if what in ("attribute", "data", "property") and types:
        lines.remove(types[0])
        lines[0] = f"{types[0].removeprefix(':type: ')}: {lines[0]}"


def without_value(_: Sphinx, __: str, what: str, content: addnodes.desc_content) -> None:
    """A table of names is described by them, not by what Python prints of it."""
    for value in content.parent.findall(addnodes.desc_annotation):
        if what in ("data", "attribute") and value.astext().startswith(" = {"):
            value.parent.remove(value)
            break


def by_another_name(
    app: Sphinx, _: BuildEnvironment, node: addnodes.pending_xref, content: TextElement
) -> nodes.reference | None:
    """What a docstring calls by a longer or shorter path than its page does."""
    try:
        thing = pkgutil.resolve_name(node["reftarget"])
    except (ImportError, AttributeError, ValueError):
        return None
    name = DESCRIBED.get(id(thing))
    if node.get("refdomain") != "py" or name is None:
        return None
    where = (app.env, node["refdoc"], app.builder, node["reftype"])
    return app.env.domains.python_domain.resolve_xref(*where, name, node, content)


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", on_the_site)
    app.connect("missing-reference", by_another_name)
    app.connect("builder-inited", write_api)
    app.connect("autodoc-skip-member", without_fields)
    app.connect("autodoc-process-docstring", without_type, priority=600)  # after Napoleon's own
    app.connect("object-description-transform", without_value)
