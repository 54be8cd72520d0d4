"""Who may import whom: tasks → workers → producer, no cycles, and a producer that needs its own dependencies alone."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("producer", "workers", "tasks")
ALLOWED = {
    "producer": {"producer"},
    "workers": {"producer", "workers"},
    "tasks": {"producer", "workers", "tasks"},
}
# pyproject's `dependencies`, and what the extras bring for the modules that are named here alone.
PRODUCER_DEPENDENCIES = {"msgspec", "redis", "rich", "typer"}
EXTRAS = {
    "producer/tracing.py": {"opentelemetry"},
    "producer/batch": {"pyarrow"},
    "producer/rabbitmq.py": {"amqp"},
    "producer/store": {"boto3", "botocore", "obstore"},
}


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, *, at_import: bool = False) -> set[str]:
    """The names of modules that a file imports; with `at_import` only those that are imported together with it."""

    def visit(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if at_import and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if at_import and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} has a relative import"
                assert child.module is not None
                yield child.module
                yield from (f"{child.module}.{alias.name}" for alias in child.names)
            yield from visit(child)

    return set(visit(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    for name, path in modules(package):
        found = {imported.partition(".")[0] for imported in imports(path)} & {*PACKAGES, "leanfleet", "tests"}
        assert found <= ALLOWED[package], f"{name} imports {found - ALLOWED[package]}"


def test_no_module_imports_itself_through_others() -> None:
    files = {name: path for package in PACKAGES for name, path in modules(package)}
    graph = {name: {each for each in imports(path, at_import=True) if each in files} for name, path in files.items()}
    for name, needed in graph.items():
        needed.discard(name)
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) == len(files)


def test_the_producer_needs_only_its_own_dependencies() -> None:
    for name, path in modules("producer"):
        allowed = {*PRODUCER_DEPENDENCIES, "producer", *sys.stdlib_module_names}
        for folder, extras in EXTRAS.items():
            if path.is_relative_to(ROOT / folder):
                allowed |= extras
        found = {imported.partition(".")[0] for imported in imports(path)}
        assert found <= allowed, f"{name} imports {found - allowed}"


def test_nothing_of_celery_is_known_to_the_workers() -> None:
    for name, path in modules("workers"):
        assert "celery" not in {each.partition(".")[0] for each in imports(path)}, name
        # Scaling asks RabbitMQ how long a queue is; running REPLs needs nothing of the kind.
        if not path.is_relative_to(ROOT / "workers" / "scaling"):
            assert "kombu" not in {each.partition(".")[0] for each in imports(path)}, name
