"""The rules of the house, held: who imports whom, what is where, how long a file may be."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("service", "training")
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def _imports(module: str) -> set[str]:
    """The dotted names that `module` imports, as far down as they are modules of ours."""
    found = set()
    for node in ast.walk(ast.parse(SOURCES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            assert node.module is not None
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & SOURCES.keys()) or {node.module}
    return found


IMPORTS = {module: _imports(module) for module in SOURCES}


def _users(library: str) -> set[str]:
    """The modules that import `library` or something below it."""
    return {m for m, names in IMPORTS.items() if any(n == library or n.startswith(f"{library}.") for n in names)}


@pytest.mark.parametrize(
    "library", ["training", "torch", "onnx", "scipy", "jinja2", "sklearn", "mapie", "matplotlib", "ray"]
)
def test_service_does_without(library: str) -> None:
    assert not {user for user in _users(library) if user.startswith("service")}


def test_training_knows_of_the_service_the_contract_and_the_code_that_will_serve() -> None:
    used = {n for m, names in IMPORTS.items() if m.startswith("training") for n in names if n.startswith("service")}
    contract = {"service.manifest", "service.certificates", "service.inputs", "service.policy", "service.reference"}
    serving = {"service.classifier", "service.decision", "service.prediction_sets", "service.errors"}
    serving |= {"service.reading.fitting", "service.interrupt", "service.option_values"}
    assert used <= contract | serving


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("onnxruntime", {"classifier"}),
        (
            "fastapi",
            {"app"}
            | {f"http.{room}" for room in ("asked_model", "assets", "openapi", "openapi_security", "pages", "problems")}
            | {"http.request_limits"}
            | {f"http.{room}" for room in ("processes", "routes", "v1", "v2")},
        ),
        (
            "starlette",
            {
                f"http.{room}"
                for room in (
                    "drain",
                    "exchanges",
                    "gate",
                    "predict_request",
                    "problems",
                    "request_body",
                    "request_limits",
                    "security_headers",
                )
            },
        ),
        (
            "orjson",
            {"answering.json_answer", "answering.predict", "observability.lines", "open_inference.infer"}
            | {"reading.json_body"},
        ),
        ("opentelemetry", {"observability.traces"}),
        ("uvicorn", {"http.guarded", "http.processes", "http.stopping"}),
        ("pydantic_settings", {"settings"}),
        ("python_multipart", {"reading.multipart"}),
        ("prometheus_client", {"observability.exposition", "observability.promises"}),
        ("pyarrow", {f"scoring.{room}" for room in ("columns", "files", "job", "parts", "table")}),
    ],
)
def test_library_stays_in_its_room(library: str, rooms: set[str]) -> None:
    assert {user for user in _users(library) if user.startswith("service")} == {f"service.{room}" for room in rooms}


def test_pictures_are_decoded_in_one_room_of_each_half() -> None:
    assert _users("PIL") == {"service.reading.fitting", "service.reading.picture_file", "training.data.pictures"}


def test_one_module_knows_how_processes_are_started() -> None:
    assert _users("torch.distributed") == {"training.joining"}


@pytest.mark.parametrize("library", ["fastapi", "starlette", "uvicorn"])
def test_training_does_without(library: str) -> None:
    assert not {user for user in _users(library) if user.startswith("training")}


def test_nothing_below_the_routes_knows_http() -> None:
    above = {"app", "__main__", "http"}
    below = {module for module in SOURCES if module.startswith("service.") and module.split(".")[1] not in above}
    for module in below:
        assert not {name for name in IMPORTS[module] if name.startswith(("service.app", "service.http"))}


def test_no_import_cycle() -> None:
    graph = {module: {name for name in names if name in SOURCES} - {module} for module, names in IMPORTS.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_service_starts_without_the_training_libraries() -> None:
    code = "import sys, service.app, service.__main__; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "onnxruntime" in loaded.stdout.split()
    absent = {"training", "torch", "onnx", "matplotlib", "tqdm", "pooch", "pyarrow", "pandas", "ray"}
    assert not (absent | {"prometheus_client"}) & set(loaded.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_reads_no_file_of_ours_and_no_environment(package: str) -> None:
    """A module that needs a model, data or a setting to be imported keeps state it should not."""
    modules = ", ".join(module for module in SOURCES if module.startswith(package))
    subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {modules}"], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True
    )


def test_each_module_is_one_idea() -> None:
    texts = {module: path.read_text() for module, path in SOURCES.items()}
    assert not [m for m in texts if m.rpartition(".")[2] in {"utils", "helpers", "common", "misc"}]
    assert not {m: length for m, text in texts.items() if (length := len(text.splitlines())) > 250}
    assert not [m for m, text in texts.items() if not ast.get_docstring(ast.parse(text))]
