from __future__ import annotations

from pathlib import Path

import pytest

from eventflow.config import Settings, is_configured, load_settings
from eventflow.errors import ProjectError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def write(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")


def mistakes(root: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        load_settings(root, environment or {})
    return caught.value.mistakes


def test_a_project_without_a_file_has_the_defaults(root: Path) -> None:
    settings = load_settings(root, {})
    assert settings == Settings()
    assert settings.resources == {}
    assert (settings.state, settings.drain, settings.durability, settings.pickle) == (".eventflow", "30s", "full", True)


def test_the_table_of_other_tools_is_left_alone(root: Path) -> None:
    write(root, "[tool.ruff]\nline-length = 140\n")
    assert load_settings(root, {}) == Settings()


def test_settings_are_read_from_the_table(root: Path) -> None:
    write(root, '[tool.eventflow]\nstate = "var"\ndrain = "5s"\ndurability = "relaxed"\npickle = false\nlogs.line_bytes = 300\n')
    settings = load_settings(root, {})
    assert (settings.state, settings.drain, settings.durability, settings.pickle) == ("var", "5s", "relaxed", False)
    assert settings.logs.line_bytes == 300
    assert settings.logs.attempt_bytes == 10 * 1024 * 1024


def test_the_environment_wins(root: Path) -> None:
    write(root, '[tool.eventflow]\ndrain = "5s"\n[tool.eventflow.logs]\nline_bytes = 300\n')
    settings = load_settings(
        root,
        {"EVENTFLOW_DRAIN": "7s", "EVENTFLOW_PICKLE": "false", "EVENTFLOW_THREADS": "4", "EVENTFLOW_LOGS__LINE_BYTES": "400", "HOME": "/"},
    )
    assert (settings.drain, settings.pickle, settings.threads, settings.logs.line_bytes) == ("7s", False, 4, 400)


def test_a_drain_is_a_number_of_seconds_too(root: Path) -> None:
    write(root, "[tool.eventflow]\ndrain = 2.5\n")
    assert load_settings(root, {}).drain == 2.5
    assert load_settings(root, {"EVENTFLOW_DRAIN": "7"}).drain == 7


def test_resources_are_named_by_the_project(root: Path) -> None:
    write(root, "[tool.eventflow.resources]\ngpu = 2\nram_gb = 0.5\n")
    assert load_settings(root, {}).resources == {"gpu": 2, "ram_gb": 0.5}
    assert load_settings(root, {"EVENTFLOW_RESOURCES__GPU": "1", "EVENTFLOW_RESOURCES__CPU": "8"}).resources == {
        "gpu": 1,
        "ram_gb": 0.5,
        "cpu": 8,
    }


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "true", '"2"', "[1]", "{ x = 1 }", "1e16"])
def test_what_is_no_amount_of_a_resource_is_refused(root: Path, value: str) -> None:
    write(root, f"[tool.eventflow.resources]\ngpu = {value}\n")
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{root / 'pyproject.toml'}: [tool.eventflow.resources] gpu: ")
    assert mistake.endswith("is not a number above 0 and up to 1000000000000000")


def test_a_resource_is_named_as_everything_is(root: Path) -> None:
    write(root, "[tool.eventflow.resources]\nGPU = 1\n")
    (mistake,) = mistakes(root)
    assert "[tool.eventflow.resources] GPU: 'GPU' can't name a resource: use a-z" in mistake


def test_resources_are_a_table(root: Path) -> None:
    write(root, "[tool.eventflow]\nresources = 2\n")
    assert [one.split("] ")[1] for one in mistakes(root)] == ["resources: 2 is not a table"]
    write(root, "[tool.eventflow]\n")
    found = mistakes(root, {"EVENTFLOW_RESOURCES": "2", "EVENTFLOW_RESOURCES__GPU__A": "1", "EVENTFLOW_RESOURCES__": "1"})
    assert [one.partition(": ")[2].partition(":")[0] for one in found] == [
        "'2' is not a table",
        "'' can't name a resource",
        "'gpu' is one value, not a table of settings",
    ]


def test_every_mistake_is_named_with_its_file(root: Path) -> None:
    write(root, '[tool.eventflow]\ndrian = "3s"\nthreads = 0\ndurability = "half"\nlogs = { line_bytes = "x", more = 1 }\n')
    found = mistakes(root)
    assert [one.split("] ")[1].split(":")[0] for one in found] == ["drian", "threads", "durability", "line_bytes", "more"]
    assert all(one.startswith(f"{root / 'pyproject.toml'}: [tool.eventflow") for one in found)
    assert "there is no such setting; there are: state, drain" in found[0]
    assert "0 is not a whole number, 1 or more" in found[1]
    assert "'half' is not 'full' or 'relaxed'" in found[2]


def test_mistakes_of_the_environment_name_the_variable(root: Path) -> None:
    found = mistakes(root, {"EVENTFLOW_THREADS": "many", "EVENTFLOW_DRIAN": "3s", "EVENTFLOW_DRAIN__X": "1", "EVENTFLOW_LOGS": "1"})
    assert [one.split(":")[0] for one in found] == [
        "environment variable EVENTFLOW_DRAIN__X",
        "environment variable EVENTFLOW_DRIAN",
        "environment variable EVENTFLOW_LOGS",
        "environment variable EVENTFLOW_THREADS",
    ]


@pytest.mark.parametrize("value", ["true", '"soon"', "-1", "inf", "[1]"])
def test_what_is_no_duration_is_refused(root: Path, value: str) -> None:
    write(root, f"[tool.eventflow]\ndrain = {value}\n")
    (mistake,) = mistakes(root)
    assert "is not a duration" in mistake


@pytest.mark.parametrize("value", ["", ".", "./", "..", "../..", "/", "a/.."])
def test_the_state_folder_needs_a_folder_of_its_own(root: Path, value: str) -> None:
    write(root, f'[tool.eventflow]\nstate = "{value}"\n')
    (mistake,) = mistakes(root)
    assert "needs a folder of its own" in mistake


def test_a_file_that_is_no_toml_says_where(root: Path) -> None:
    write(root, "[tool.eventflow]\ndrain =\n")
    (mistake,) = mistakes(root)
    assert str(root / "pyproject.toml") in mistake
    assert "line 2" in mistake


def test_a_file_that_is_no_text_is_named(root: Path) -> None:
    (root / "pyproject.toml").write_bytes(b"\xff\xfe")
    (mistake,) = mistakes(root)
    assert "isn't TOML" in mistake


def test_the_tests_own_variables_are_no_settings(root: Path) -> None:
    assert load_settings(root, {"EVENTFLOW_FAIL": "x:1:kill", "EVENTFLOW_POINTS": "/tmp/x"}) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.eventflow]\n", True),
        ("[tool.eventflow]\ndrain =\n", True),
        ("[tool.ruff]\n", False),
        ("tool = 3\n", False),
        ("x =\n", False),
    ],
)
def test_the_table_makes_a_project(root: Path, text: str, expected: bool) -> None:
    write(root, text)
    assert is_configured(root) is expected
