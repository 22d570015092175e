"""No module of the package imports itself through others: not at its top, not inside a function."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports_of(tree: ast.AST) -> set[str]:
    """Everything that the module may import at run time, as `a.b` and `a.b.name`."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        else:
            found |= imports_of(node)
    return found


def graph() -> dict[str, set[str]]:
    trees = {
        module_name(file): ast.parse(file.read_text("utf-8"))
        for file in (ROOT / "edge").rglob("*.py")
    }
    return {name: (imports_of(tree) & set(trees)) - {name} for name, tree in trees.items()}


def find_cycle(edges: dict[str, set[str]]) -> list[str]:
    """The modules of one cycle, in the order of their imports; empty if there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for following in sorted(edges[name]):
            if cycle := visit(following, [*path, name]):
                return cycle
        done.add(name)
        return []

    return next((cycle for name in sorted(edges) if (cycle := visit(name, []))), [])


def test_no_module_imports_itself_through_others():
    assert find_cycle(graph()) == []


def test_a_cycle_would_be_found():
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


def test_the_graph_sees_imports_inside_functions():
    tree = ast.parse("def f():\n    from edge.tls.authority import make\n")
    assert "edge.tls.authority" in imports_of(tree)
