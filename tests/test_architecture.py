"""The architecture: which module imports which, where libraries are used, and how long a file may be."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("service", "training", "exercises")
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def _imports(module: str) -> set[str]:
    """The dotted names that `module` imports, resolved to modules if they are ours."""
    names = set()
    for node in ast.walk(ast.parse(SOURCES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            assert node.module is not None
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (inner & SOURCES.keys()) or {node.module}
    return names


IMPORTS = {module: _imports(module) for module in SOURCES}


def _users(library: str) -> set[str]:
    """The modules that import `library` or something below it."""
    return {m for m, names in IMPORTS.items() if any(n == library or n.startswith(f"{library}.") for n in names)}


@pytest.mark.parametrize(
    "library", ["training", "torch", "onnx", "scipy", "jinja2", "sklearn", "mapie", "matplotlib", "ray"]
)
def test_service_does_not_import(library: str) -> None:
    assert not {user for user in _users(library) if user.startswith("service")}


def test_training_imports_only_contract_and_inference_of_the_service() -> None:
    used = {n for m, names in IMPORTS.items() if m.startswith("training") for n in names if n.startswith("service")}
    assert {".".join(name.split(".")[:2]) for name in used} == {"service.contract", "service.inference"}


def test_nothing_imports_the_exercises() -> None:
    assert {user.split(".")[0] for user in _users("exercises")} == {"exercises"}


@pytest.mark.parametrize("half", ["service", "training"])
def test_few_entries_at_the_root(half: str) -> None:
    # A moved folder leaves its bytecode behind.
    entries = {path.name for path in (ROOT / half).iterdir() if path.is_file() or any(path.rglob("*.py"))}
    assert len(entries - {"__init__.py"}) <= 9, sorted(entries)


def imports_within(package: str) -> dict[str, set[str]]:
    """Each entry of a package (a module or a folder), with the entries of the same package that it imports."""
    depth = package.count(".") + 1
    graph: dict[str, set[str]] = {}
    for module, names in IMPORTS.items():
        if not module.startswith(f"{package}."):
            continue
        entry = module.split(".")[depth]
        inside = {name.split(".")[depth] for name in names & SOURCES.keys() if name.startswith(f"{package}.")}
        graph.setdefault(entry, set()).update(inside - {entry})
    return graph


@pytest.mark.parametrize("package", sorted({m.rpartition(".")[0] for m in SOURCES if "." in m}))
def test_imports_within_a_package_have_no_cycle(package: str) -> None:
    """The modules and folders of every package import each other without cycles."""
    graphlib.TopologicalSorter(imports_within(package)).prepare()  # raises CycleError with the cycle


@pytest.mark.parametrize(
    ("library", "modules"),
    [
        ("onnxruntime", {"inference.classifier"}),
        ("opentelemetry", {"monitoring.requests.traces"}),
        ("pydantic_settings", {"settings"}),
        ("python_multipart", {"inference.readers.multipart"}),
        ("prometheus_client", {"monitoring.metrics.exposition", "monitoring.metrics.promises"}),
    ],
)
def test_library_stays_in_its_modules(library: str, modules: set[str]) -> None:
    assert {user for user in _users(library) if user.startswith("service")} == {f"service.{m}" for m in modules}


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("fastapi", "service.http"),
        ("starlette", "service.http"),
        ("uvicorn", "service.http.server"),
        ("pyarrow", ("service.scoring", "service.inference.csv_files")),
        ("torch.distributed", "training.fitting"),
        ("matplotlib", "training.reporting"),
    ],
)
def test_library_stays_in_its_rooms(library: str, rooms: str | tuple[str, ...]) -> None:
    rooms = (rooms,) if isinstance(rooms, str) else rooms
    half = rooms[0].partition(".")[0]
    users = {user for user in _users(library) if user.startswith(half)} - {"service.app"}
    assert users
    assert all(user.startswith(tuple(f"{room}." for room in rooms)) for user in users), users


def test_pictures_are_decoded_in_one_room_of_each_half() -> None:
    assert _users("PIL") == {
        "service.inference.readers.picture_fitting",
        "service.inference.readers.picture_file",
        "service.inference.readers.plain_png",
        "training.data.sources.picture_file",
    }


@pytest.mark.parametrize("library", ["fastapi", "starlette", "uvicorn"])
def test_training_does_not_import(library: str) -> None:
    assert not {user for user in _users(library) if user.startswith("training")}


def test_nothing_below_the_routes_knows_http() -> None:
    above = {"app", "__main__", "http"}
    below = {module for module in SOURCES if module.startswith("service.") and module.split(".")[1] not in above}
    for module in below:
        assert not {name for name in IMPORTS[module] if name.startswith(("service.app", "service.http"))}


def test_service_starts_without_the_training_libraries() -> None:
    code = "import sys, service.app, service.__main__; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "onnxruntime" in loaded.stdout.split()
    absent = {"training", "torch", "onnx", "matplotlib", "tqdm", "pooch", "pyarrow", "pandas", "ray"}
    assert not (absent | {"prometheus_client"}) & set(loaded.stdout.split())


def test_import_reads_no_file_and_no_environment() -> None:
    """A module that needs a model, data or a setting on import keeps global state."""
    command = [sys.executable, "-W", "error", "-c", f"import {', '.join(SOURCES)}"]
    subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True)


def test_each_module_is_one_idea() -> None:
    texts = {module: path.read_text() for module, path in SOURCES.items()}
    assert not [m for m in texts if m.rpartition(".")[2] in {"utils", "helpers", "common", "misc"}]
    assert not {m: length for m, text in texts.items() if (length := len(text.splitlines())) > 250}
    assert not [m for m, text in texts.items() if not ast.get_docstring(ast.parse(text))]
