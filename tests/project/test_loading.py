from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventflow.errors import ProjectError
from eventflow.project import Project, find, load, state_folder

PIPELINE = """
from eventflow import pipeline, task

@task
def double(number: int) -> int:
    return 2 * number

@pipeline
def twice(number: int) -> int:
    return double(number)
"""

SENSOR = """
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from eventflow import Observation

@dataclass
class Found:
    number: int

class Ticks:
    interval = None

    def __init__(self, name):
        self.name = name

    async def observe(self, cursor, seen, world):
        yield Observation()

class Told(Ticks):
    async def observe(self, cursor, seen, world) -> AsyncGenerator[Observation[Found], None]:
        yield Observation()
"""

Make = Callable[[dict[str, str]], Path]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Each test has its own `pipelines` and `sensors`; others have theirs back afterwards."""
    packages = ("pipelines", "sensors")
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in packages}
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a project's files, with the two `__init__.py` unless they are given as None."""

    def write(files: dict[str, str | None]) -> Path:
        root = tmp_path / "shop"
        for name, text in {"pipelines/__init__.py": "", "sensors/__init__.py": "", **files}.items():
            if text is not None:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
        return root

    return write


def mistakes(root: Path) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        load(root, {})
    return caught.value.mistakes


def line(root: Path, name: str, marker: str) -> str:
    (number,) = [number for number, text in enumerate((root / name).read_text().splitlines(), 1) if marker in text]
    return f"{root / name}:{number}"


def test_a_project_is_what_its_modules_define(make: Make) -> None:
    root = make(
        {
            "pyproject.toml": "[tool.eventflow]\nthreads = 3\n",
            "pipelines/numbers.py": PIPELINE,
            "pipelines/deep/__init__.py": "",
            "pipelines/deep/more.py": PIPELINE.replace("twice", "deeper"),
            "sensors/kinds.py": SENSOR,
            "sensors/ticks.py": """
from eventflow.triggers import Trigger
from pipelines.numbers import twice
from sensors.kinds import Ticks
ticks = Ticks("ticks")
on_tick = Trigger("on-tick", on=ticks, run=twice, params=lambda event: {"number": 1})
""",
        }
    )
    project = load(root, {})
    assert isinstance(project, Project)
    assert (project.root, project.name, project.state, project.settings.threads) == (root, "shop", root / ".eventflow", 3)
    assert [pipeline.name for pipeline in project.pipelines] == ["deeper", "twice"]
    assert [sensor.name for sensor in project.sensors] == ["ticks"]
    assert [trigger.name for trigger in project.triggers] == ["on-tick"]
    assert project.pipelines[1].run(4) == 8


def test_a_project_is_found_from_within(make: Make, tmp_path: Path) -> None:
    root = make({"pipelines/numbers.py": PIPELINE, "notes/today/x.txt": ""})
    assert find(root) == root
    assert find(root / "notes" / "today") == root
    assert find(root / "pipelines") == root


def test_settings_alone_make_a_root(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.eventflow]\n")
    (tmp_path / "below").mkdir()
    assert find(tmp_path / "below") == tmp_path


def test_the_state_folder_is_the_projects_or_the_one_that_is_named(tmp_path: Path) -> None:
    project, journaled = tmp_path / "project", tmp_path / "state"
    (project / "pipelines" / "deep").mkdir(parents=True)
    (project / "pyproject.toml").write_text('[tool.eventflow]\nstate = "kept"\n')
    journaled.mkdir()
    (journaled / "journal.db").touch()
    assert state_folder(project / "pipelines" / "deep") == project / "kept"
    assert state_folder(journaled) == journaled
    with pytest.raises(ProjectError, match="is no project"):
        state_folder(tmp_path)


def test_a_folder_that_is_no_project_says_what_is_missing(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path)
    assert str(tmp_path) in mistake
    assert "pipelines/" in mistake
    assert "[tool.eventflow]" in mistake
    assert "eventflow init" in mistake


def test_a_project_without_pipelines_says_so(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.eventflow]\n")
    (mistake,) = mistakes(tmp_path)
    assert mistake.startswith(f"{tmp_path / 'pipelines'}: the folder is missing")


def test_a_folder_that_is_no_package_says_so(make: Make) -> None:
    root = make({"pipelines/__init__.py": None, "pipelines/numbers.py": PIPELINE})
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{root / 'pipelines'}: it has no __init__.py")


def test_sensors_are_not_needed(make: Make) -> None:
    root = make({"pipelines/numbers.py": PIPELINE, "sensors/__init__.py": None})
    assert len(load(root, {}).pipelines) == 1


def test_what_several_modules_hold_is_one(make: Make) -> None:
    root = make(
        {
            "pipelines/numbers.py": PIPELINE,
            "pipelines/again.py": "from pipelines.numbers import twice\nsame = twice\n",
            "sensors/uses.py": "from pipelines.numbers import twice\n",
        }
    )
    assert len(load(root, {}).pipelines) == 1


def test_the_root_is_the_current_folder_while_modules_are_imported(make: Make) -> None:
    root = make({"pipelines/numbers.py": PIPELINE + "\nimport os\nWHERE = os.getcwd()\n"})
    before = Path.cwd()
    load(root, {})
    assert str(root) == sys.modules["pipelines.numbers"].WHERE
    assert Path.cwd() == before


def test_hidden_files_and_scripts_are_not_imported(make: Make) -> None:
    bad = "raise AssertionError('imported')"
    root = make(
        {"pipelines/numbers.py": PIPELINE, "pipelines/.ipynb_checkpoints/a.py": bad, "pipelines/__main__.py": bad, "pipelines/.#a.py": bad}
    )
    assert len(load(root, {}).pipelines) == 1


def test_a_file_that_python_cannot_import_is_named(make: Make) -> None:
    root = make({"pipelines/my-numbers.py": PIPELINE})
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{root / 'pipelines/my-numbers.py'}: Python can't import a file of that name")


def test_every_module_that_fails_is_named_with_its_line(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": "x = 1\nimport nowhere_to_be_found\n",
            "pipelines/b.py": "def f(:\n",
            "pipelines/c.py": "def f():\n    return 1 / 0\n\nf()\n",
            "pipelines/d.py": "import sys\nsys.exit('no')\n",
            "pipelines/e.py": "from eventflow import pipeline\n\n@pipeline\nasync def wrong():\n    pass\n",
            "pipelines/f.py": PIPELINE.replace("double(number)", "double(1, 2, 3)  # here"),
            "sensors/s.py": "import pipelines.c\n",
        }
    )
    found = mistakes(root)
    assert [one.split(": ")[0] for one in found] == [
        f"{root}/pipelines/a.py:2",
        f"{root}/pipelines/b.py:1",
        f"{root}/pipelines/c.py:2",
        f"{root}/pipelines/d.py:2",
        f"{root}/pipelines/e.py:3",
        line(root, "pipelines/f.py", "# here"),
    ]
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in found[0]
    assert "SyntaxError" in found[1]
    assert "ZeroDivisionError" in found[2]
    assert "SystemExit: no" in found[3]
    assert "is an async function" in found[4]


def test_a_package_that_fails_is_named_once(make: Make) -> None:
    root = make({"pipelines/__init__.py": "1 / 0\n", "pipelines/numbers.py": PIPELINE})
    (mistake,) = mistakes(root)
    assert mistake == f"{root}/pipelines/__init__.py:1: ZeroDivisionError: division by zero"


def test_a_package_of_that_name_from_elsewhere_is_refused(make: Make, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "pipelines"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("")
    sys.path.insert(0, str(elsewhere.parent))
    __import__("pipelines")
    root = make({"pipelines/numbers.py": PIPELINE})
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{root}/pipelines/__init__.py: Python imports 'pipelines' from {elsewhere}")


def test_wrong_settings_hide_no_other_mistake(make: Make) -> None:
    root = make({"pyproject.toml": "[tool.eventflow]\nthreads = 0\n", "pipelines/a.py": "1 / 0\n"})
    first, second = mistakes(root)
    assert "threads" in first
    assert "ZeroDivisionError" in second


def test_two_of_one_name_name_each_other(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": PIPELINE,
            "pipelines/b.py": PIPELINE,
            "sensors/kinds.py": SENSOR,
            "sensors/s.py": """
from eventflow.triggers import Trigger
from pipelines.a import twice
from sensors.kinds import Ticks
one = Ticks("ticks")
two = Ticks("ticks")
first = Trigger("t", on=one, run=twice, params=dict)
second = Trigger("t", on=one, run=twice, params=dict)
""",
        }
    )
    pipelines, sensors, triggers = mistakes(root)
    assert pipelines.startswith(line(root, "pipelines/b.py", "@pipeline"))
    assert f"two pipelines are named 'twice': the other one is at {line(root, 'pipelines/a.py', '@pipeline')}" in pipelines
    assert (
        sensors
        == f"{line(root, 'sensors/s.py', 'two =')}: two sensors are named 'ticks': the other one is at {line(root, 'sensors/s.py', 'one = ')}"
    )
    assert triggers.startswith(f"{line(root, 'sensors/s.py', 'second =')}: two triggers are named 't'")


def test_a_trigger_must_be_on_a_sensor_and_run_a_pipeline_of_the_project(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": PIPELINE,
            "sensors/kinds.py": SENSOR,
            "sensors/s.py": """
from eventflow import pipeline
from eventflow.triggers import Trigger
from pipelines.a import double
from sensors.kinds import Ticks
def local():
    @pipeline
    def hidden():
        return double(1)
    return hidden
lost = Trigger("lost", on=Ticks("ticks"), run=local(), params=dict)
""",
        }
    )
    on, run = mistakes(root)
    place = line(root, "sensors/s.py", "lost =")
    assert on.startswith(f"{place}: trigger 'lost' has on=")
    assert "which is no sensor of this project: give it a name of its own in a module of sensors/" in on
    assert run.startswith(f"{place}: trigger 'lost' has run=<pipeline hidden>, which is no pipeline of this project")


def test_a_trigger_that_is_wrongly_made_names_its_line(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": PIPELINE,
            "sensors/kinds.py": SENSOR,
            "sensors/s.py": """
from eventflow.triggers import Trigger
from pipelines.a import twice
from sensors.kinds import Ticks
ticks = Ticks("ticks")
wrong = Trigger("wrong", on=ticks, run=twice, params={"number": 1})
""",
        }
    )
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{line(root, 'sensors/s.py', 'wrong =')}: trigger 'wrong': params=")


def test_a_trigger_without_params_needs_the_fields_in_the_data(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": PIPELINE + "\n@pipeline\ndef halve(half: int, rest: int = 3) -> int:\n    return double(half)\n",
            "sensors/kinds.py": SENSOR,
            "sensors/s.py": """
from eventflow.triggers import Trigger
from pipelines.a import halve, twice
from sensors.kinds import Ticks, Told
told, untold = Told("told"), Ticks("untold")
good = Trigger("good", on=told, run=twice)
bad = Trigger("bad", on=told, run=halve)
who_knows = Trigger("who-knows", on=untold, run=halve)
""",
        }
    )
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{line(root, 'sensors/s.py', 'bad =')}: trigger 'bad' has no params")
    assert "carry Found, which has no 'half' for pipeline 'halve'" in mistake


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("name = 'No Name'", "'No Name' can't name a sensor"),
        ("name = 3", "3 can't name a sensor"),
        ("interval = -1", "has interval -1"),
        ("interval = True", "has interval True"),
        ("observe = 3", "has an observe that can't be called"),
        ("async def observe(self, cursor, seen, world):\n        return 3", "never yields"),
        ("@property\n    def name(self):\n        return 1 / 0", "can't be read: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_in_a_sensor_of_ones_own_is_said(make: Make, body: str, said: str) -> None:
    sensor = f"""
class Own:
    name = "own"
    interval = None
    async def observe(self, cursor, seen, world):
        yield None
class Wrong(Own):
    {body}
own = Wrong()
"""
    root = make({"pipelines/a.py": PIPELINE, "sensors/own.py": sensor})
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{line(root, 'sensors/own.py', 'own = Wrong')}: ")
    assert said in mistake


def test_a_module_that_failed_is_not_missed_by_others(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": "1 / 0\n",
            "pipelines/b.py": PIPELINE,
            "sensors/kinds.py": SENSOR,
            "sensors/s.py": """
from eventflow.triggers import Trigger
from pipelines.b import twice
from sensors.kinds import Ticks
on_tick = Trigger("on-tick", on=Ticks("ticks"), run=twice, params=dict)
""",
        }
    )
    (mistake,) = mistakes(root)
    assert "ZeroDivisionError" in mistake


def test_proxies_that_claim_every_attribute_are_no_sensors(make: Make) -> None:
    root = make(
        {
            "pipelines/a.py": PIPELINE,
            "sensors/s.py": "import structlog\nfrom unittest.mock import Mock\nlog = structlog.get_logger()\nfake = Mock()\n",
        }
    )
    assert load(root, {}).sensors == ()


def test_the_project_of_this_repository_has_no_mistakes() -> None:
    pytest.importorskip("sklearn")
    assert "retrain-on-drop" in {trigger.name for trigger in load(Path(__file__).parents[2], {}).triggers}


USING = PIPELINE.replace("@task\n", '@task(uses={"gpu": 2})\n')


def test_a_resource_that_no_setting_declares_is_a_mistake(make: Make) -> None:
    root = make({"pipelines/numbers.py": USING})
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{line(root, 'pipelines/numbers.py', '@pipeline')}: uses={{'gpu': 2}}: there is no such resource")


def test_a_demand_for_more_than_there_is_is_a_mistake(make: Make) -> None:
    root = make({"pipelines/numbers.py": USING, "pyproject.toml": "[tool.eventflow.resources]\ngpu = 1\n"})
    (mistake,) = mistakes(root)
    assert "uses={'gpu': 2} can never be had: there is 1 of it" in mistake


def test_resources_that_settings_declare_are_there(make: Make) -> None:
    root = make({"pipelines/numbers.py": USING, "pyproject.toml": "[tool.eventflow.resources]\ngpu = 2\n"})
    assert load(root, {}).settings.resources == {"gpu": 2}


def test_where_settings_are_wrong_nothing_is_said_about_resources(make: Make) -> None:
    root = make({"pipelines/numbers.py": USING, "pyproject.toml": "[tool.eventflow]\nthreads = 0\n[tool.eventflow.resources]\ngpu = 2\n"})
    (mistake,) = mistakes(root)
    assert "threads" in mistake


REFERRING = """
from eventflow import AbsenceSensor, FileSensor, RunSensor
from pipelines.numbers import twice

orders = FileSensor("orders", path="orders")
"""


def referring(make: Make, *lines: str, **more: str) -> Path:
    return make({"pipelines/numbers.py": PIPELINE, "sensors/watching.py": REFERRING + "\n".join(lines), **more})


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ("'twcie'", "refers to the pipeline 'twcie', which isn't in this project: did you mean 'twice'?"),
        ("[twice, 'sell']", "refers to the pipeline 'sell', which isn't in this project: there is twice"),
    ],
)
def test_a_run_sensor_of_a_pipeline_that_is_not_there_is_a_mistake(make: Make, of: str, said: str) -> None:
    root = referring(make, f'done = RunSensor("done", of={of})')
    assert mistakes(root) == [f"{line(root, 'sensors/watching.py', 'done =')}: sensor 'done' {said}"]


def test_a_run_sensor_of_pipelines_that_are_there_is_none(make: Make) -> None:
    assert len(load(referring(make, 'done = RunSensor("done", of=[twice])', 'late = RunSensor("late", of="twice")'), {}).sensors) == 3


@pytest.mark.parametrize("of", ["ordres", "order", "odrers"])
def test_an_absence_of_a_source_that_looks_like_a_typo_is_a_mistake(make: Make, of: str) -> None:
    root = referring(make, f'silent = AbsenceSensor("silent", of="{of}", within="24h")')
    said = f"sensor 'silent' refers to the events of '{of}', and no sensor bears that name: did you mean 'orders'?"
    assert mistakes(root) == [f"{line(root, 'sensors/watching.py', 'silent =')}: {said}"]


@pytest.mark.parametrize("of", ["orders", "bank", "orders-eu", "orders2", "no-orders"])
def test_an_absence_of_a_source_of_another_name_is_none(make: Make, of: str) -> None:
    assert len(load(referring(make, f'silent = AbsenceSensor("silent", of="{of}", within="24h")'), {}).sensors) == 2


def test_another_number_is_no_typo(make: Make) -> None:
    days = ['day = FileSensor("day-20261120", path="orders")', 'silent = AbsenceSensor("silent", of="day-20261121", within="24h")']
    assert len(load(referring(make, *days), {}).sensors) == 3


def test_a_name_that_two_places_bear_is_meant(make: Make) -> None:
    lines = [f'{name} = AbsenceSensor("{name}", of="ordres", within="24h")' for name in ("silent", "quiet")]
    assert len(load(referring(make, *lines), {}).sensors) == 3


def test_a_trigger_may_be_on_a_source_that_no_sensor_bears(make: Make) -> None:
    root = referring(make, "from eventflow import Trigger", 'on_word = Trigger("on-word", on="bank", run=twice)')
    assert [trigger.source for trigger in load(root, {}).triggers] == ["bank"]


def test_a_trigger_on_a_source_that_looks_like_a_typo_is_a_mistake(make: Make) -> None:
    root = referring(make, "from eventflow import Trigger", 'on_word = Trigger("on-word", on="ordres", run=twice, params=dict)')
    said = "trigger 'on-word' refers to the events of 'ordres', and no sensor bears that name: did you mean 'orders'?"
    assert mistakes(root) == [f"{line(root, 'sensors/watching.py', 'on_word =')}: {said}"]


def test_a_trigger_on_the_name_of_a_sensor_needs_the_fields_of_its_data(make: Make) -> None:
    root = referring(make, "from eventflow import Trigger", 'by_name = Trigger("by-name", on="orders", run=twice)')
    (mistake,) = mistakes(root)
    assert mistake.startswith(
        f"{line(root, 'sensors/watching.py', 'by_name =')}: trigger 'by-name' has no params, and the events of sensor"
    )
    assert "which has no 'number' for pipeline 'twice'" in mistake


def test_a_sensor_whose_name_cannot_be_read_hides_no_trigger_on_a_name(make: Make) -> None:
    broken = "class Broken(FileSensor):\n    @property\n    def name(self):\n        return 1 / 0\n"
    lines = [
        broken,
        "from eventflow import Trigger",
        "broken = object.__new__(Broken)",
        'on_word = Trigger("on-word", on="bank", run=twice)',
    ]
    (mistake,) = mistakes(referring(make, *lines))
    assert "can't be read: ZeroDivisionError" in mistake


def test_where_a_module_failed_no_name_is_missed(make: Make) -> None:
    root = referring(make, 'done = RunSensor("done", of="sell")', **{"pipelines/a.py": "1 / 0\n"})
    (mistake,) = mistakes(root)
    assert "ZeroDivisionError" in mistake


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("refers_to = {'pipelines': ['sell']}", "has refers_to {'pipelines': ['sell']}: give References("),
        ("@property\n    def refers_to(self):\n        return 1 / 0", "has a refers_to that can't be read: ZeroDivisionError"),
        ("refers_to = References(pipelines=frozenset({'sell'}))", "refers to the pipeline 'sell', which isn't in this project"),
    ],
)
def test_what_a_sensor_of_ones_own_refers_to_is_compared_too(make: Make, body: str, said: str) -> None:
    own = SENSOR + f"\nfrom eventflow.ports import References\nclass Own(Ticks):\n    {body}\n\nown = Own('own')\n"
    root = make({"pipelines/a.py": PIPELINE, "sensors/own.py": own})
    (mistake,) = mistakes(root)
    assert mistake.startswith(f"{line(root, 'sensors/own.py', 'own = Own')}: sensor 'own' {said}")
