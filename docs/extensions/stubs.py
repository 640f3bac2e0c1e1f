"""Gives the signatures of the reference pages the types that the stubs (.pyi) have."""

import ast
import importlib.util
from pathlib import Path

# The stub that describes the names of a module. What the first one lacks is looked up in the next one.
STUBS = {
    "greenlet": ["_greenlet", "__init__"],
    "greenlet.aio": ["aio"],
    "greenlet.generators": ["generators"],
    "greenlet.inspect": ["inspect"],
    "greenlet.stackless": ["stackless"],
}


def declared(stub: Path) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Return the functions that a stub declares, by qualified name: several if it is overloaded."""
    found = {}

    def visit(body, prefix):
        for node in body:
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(prefix + node.name, []).append(node)

    visit(ast.parse(stub.read_text()).body, "")
    return found


def load() -> dict[str, list]:
    folder = Path(importlib.util.find_spec("greenlet").origin).parent
    functions = {}
    for module, stubs in STUBS.items():
        for stub in stubs:
            path = folder / f"{stub}.pyi"
            if path.is_file():
                for name, nodes in declared(path).items():
                    functions.setdefault(f"{module}.{name}", nodes)
    return functions


def parameters(node, is_method: bool) -> str:
    arguments = node.args
    if is_method:
        first = arguments.posonlyargs or arguments.args
        del first[0]
    return f"({ast.unparse(arguments)})".replace("(/, ", "(").replace("(/)", "()")


def signature_of(app, what, name, obj, options, signature, return_annotation):
    if what not in ("function", "method", "class", "exception"):
        return None
    nodes = app.greenlet_stubs.get(f"{name}.__init__" if what == "class" else name)
    if nodes is None or len(nodes) > 1:
        return None  # overloads say less than the signature that the function has itself
    node = ast.parse(ast.unparse(nodes[0])).body[0]
    is_static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    text = parameters(node, what in ("class", "method") and not is_static)
    if "..." in text and signature:
        return None  # the stub leaves out a default
    returns = ast.unparse(node.returns) if node.returns is not None and what != "class" else None
    return text, returns


def setup(app):
    app.greenlet_stubs = load()
    app.connect("autodoc-process-signature", signature_of)
    return {"parallel_read_safe": True}
