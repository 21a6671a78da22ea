# ruff: noqa: B018  # asking for a definition traces it
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventflow.context import Ended
from eventflow.definition.axes import each
from eventflow.definition.branches import when
from eventflow.definition.graph import Ending, Node, Output
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Pipeline, pipeline
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@task
def start(name: str = "c") -> str:
    raise NotImplementedError


@task
def stop(cluster: str, force: bool = False) -> None:
    raise NotImplementedError


@task
def use(cluster: str) -> int:
    raise NotImplementedError


@task
def report(number: int) -> int:
    raise NotImplementedError


@task
def cleanup() -> None:
    raise NotImplementedError


@task
def alert(ended: Ended) -> None:
    raise NotImplementedError


@task
def ping() -> None:
    raise NotImplementedError


@task
def tell(*words: str, ended: object = None) -> None:
    raise NotImplementedError


@task
def wrong(number: int) -> None:
    raise NotImplementedError


def nodes_of(body: Callable[..., Any], **settings: Any) -> dict[str, Node]:
    return {node.name: node for node in Pipeline("p", body, **settings).definition.graph.nodes}


def test_a_teardown_waits_for_all_that_use_what_it_closes() -> None:
    def body() -> None:
        cluster = start()
        stop.teardown(cluster, force=True)
        ping()
        report(use(cluster))
        use.after(cluster)("another")

    nodes = nodes_of(body)
    assert nodes["stop"].role == "teardown"
    assert nodes["stop"].inputs["cluster"] == Output("start")
    assert nodes["stop"].after == ("use", "report", "use_2")
    assert nodes["stop"].closes == ("start",)
    assert [node.role for node in nodes.values() if node.name != "stop"] == ["task"] * 5


def test_a_teardown_waits_for_no_other_closing_node() -> None:
    def body() -> None:
        cluster = start()
        use.options(on_success=ping)(cluster)
        stop.teardown(cluster)
        stop.teardown(cluster)

    nodes = nodes_of(body, finally_=[cleanup])
    assert nodes["stop"].after == nodes["stop_2"].after == ("use",)


def test_a_teardown_without_users_waits_for_the_node_that_it_closes() -> None:
    def body() -> None:
        stop.teardown(start())

    assert nodes_of(body)["stop"].after == ()


def test_a_teardown_may_close_what_it_only_waits_for() -> None:
    def body() -> None:
        started = start()
        use(started)
        cleanup.after(started).teardown()

    node = nodes_of(body)["cleanup"]
    assert (node.after, node.closes) == (("start", "use"), ("start",))


def test_a_teardown_in_a_branch_and_a_group_belongs_to_them() -> None:
    def body() -> None:
        cluster = start()
        with when(report(1)) as taken, group("end"):
            stop.teardown(cluster)
        report.after(taken)(2)

    node = nodes_of(body)["end.stop"]
    assert (node.within, node.after) == ("when_report", ())


def test_a_teardown_of_nothing_is_refused(line: Callable[[str], str]) -> None:
    def body(cluster: str) -> None:
        use(cluster)
        stop.teardown(cluster)  # closes nothing

    message = r"teardown of task 'stop' takes nothing that another node gave.*: for what is to run at the end .*finally_=\[...\]"
    with pytest.raises(DefinitionError, match=message) as caught:
        nodes_of(body)
    assert caught.value.where == line("closes nothing")


def test_a_teardown_outside_a_body_is_refused(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError, match=r"teardown\(\) of task 'stop' is called outside a pipeline's body") as caught:
        stop.teardown("x")  # torn down outside
    assert caught.value.where == line("torn down outside")


def test_final_tasks_wait_for_everything_but_hooks() -> None:
    def body() -> None:
        cluster = start.options(on_failure=[alert])()
        stop.teardown(cluster)

    nodes = nodes_of(body, finally_=[cleanup, ping.options(name="last")], on_success=ping)
    assert (nodes["cleanup"].role, nodes["cleanup"].after) == ("finally", ("start", "stop"))
    assert (nodes["last"].role, nodes["last"].after) == ("finally", ("start", "stop"))


def test_a_final_tasks_name_gives_way() -> None:
    def body() -> None:
        cleanup()

    nodes = nodes_of(body, finally_=cleanup)
    assert (nodes["cleanup"].role, nodes["cleanup_2"].role) == ("task", "finally")


def test_a_final_tasks_own_name_that_is_taken_is_a_mistake_of_the_pipeline() -> None:
    @pipeline(finally_=[cleanup.options(name="start")])
    def twice() -> None:
        start()

    with pytest.raises(DefinitionError, match="already has a node named 'start': choose another name") as caught:
        twice.definition
    assert caught.value.where == twice.where


def test_hooks_of_a_task_are_told_how_its_node_ended() -> None:
    def body() -> None:
        use.options(on_failure=[alert, ping], on_success=ping, on_cancel=(tell,))("x")

    nodes = nodes_of(body)
    hooks = [(node.name, node.on, node.inputs) for node in nodes.values() if (node.role, node.of, node.after) == ("hook", "use", ("use",))]
    assert hooks == [
        ("ping", "success", {}),
        ("alert", "failure", {"ended": Ending("use")}),
        ("ping_2", "failure", {}),
        ("tell", "cancel", {"ended": Ending("use")}),
    ]


def test_hooks_stand_where_their_node_stands() -> None:
    def body() -> None:
        with group("cleaning"), when(report(1)):
            use.options(on_failure=alert)("x")

    hook = nodes_of(body)["cleaning.alert"]
    assert (hook.within, hook.after) == ("cleaning.when_report", ("cleaning.use",))


def test_a_map_has_one_hook_as_a_whole() -> None:
    def body() -> None:
        use.options(on_failure=alert).map(each(["a", "b"]))

    nodes = nodes_of(body)
    assert list(nodes) == ["use", "alert"]
    assert nodes["alert"].inputs == {"ended": Ending("use")}


def test_closing_nodes_may_have_hooks() -> None:
    def body() -> None:
        stop.options(on_failure=alert).teardown(start())

    nodes = nodes_of(body, finally_=[cleanup.options(on_failure=alert)])
    assert nodes["alert"].inputs == {"ended": Ending("stop")}
    assert nodes["alert_2"].inputs == {"ended": Ending("cleanup")}


def test_hooks_of_a_pipeline_are_told_how_the_run_ended() -> None:
    def body() -> None:
        use.options(on_failure=ping)("x")

    nodes = nodes_of(body, on_success=[alert], on_failure=[alert], on_cancel=cleanup, finally_=start)
    hooks = {
        node.name: (node.on, node.inputs) for node in nodes.values() if (node.role, node.of, node.after) == ("hook", None, ("use", "start"))
    }
    assert hooks == {
        "alert": ("success", {"ended": Ending(None)}),
        "alert_2": ("failure", {"ended": Ending(None)}),
        "cleanup": ("cancel", {}),
    }


def test_hooks_among_the_defaults_are_those_of_all_tasks_but_of_no_hook() -> None:
    def body() -> None:
        start()
        use.options(on_failure=[])("x")

    nodes = nodes_of(body, defaults={"on_failure": [alert], "timeout": 5}, finally_=[cleanup], on_failure=ping)
    assert [node.name for node in nodes.values()] == ["start", "alert", "use", "cleanup", "ping"]


def test_a_pipelines_defaults_hold_for_its_closing_tasks() -> None:
    def body() -> None:
        stop.teardown(start.options(on_failure=alert)())

    bodies: Any = Pipeline("p", body, defaults={"timeout": 5, "rule": "all_done"}, finally_=cleanup).definition.bodies
    assert [bodies[name].options.timeout for name in ("stop", "alert", "cleanup")] == [5, 5, 5]
    assert (bodies["alert"].options.rule, bodies["cleanup"].options.rule) == ("all_success", "all_success")


def test_a_hook_that_takes_something_else_is_refused_where_its_node_is(line: Callable[[str], str]) -> None:
    def body() -> None:
        use.options(on_failure=wrong)("x")  # has a wrong hook

    with pytest.raises(DefinitionError, match=r"hook 'wrong' is told how it ended, an eventflow.Ended, but its 'number' is int") as caught:
        nodes_of(body)
    assert caught.value.where == line("has a wrong hook")


def test_a_pipelines_hook_that_takes_something_else_is_refused_at_the_pipeline() -> None:
    @pipeline(on_failure=[wrong])
    def hooked() -> None:
        start()

    with pytest.raises(DefinitionError, match="hook 'wrong' is told how it ended") as caught:
        hooked.definition
    assert caught.value.where == hooked.where


@pytest.mark.parametrize("hooks", [{"finally_": cleanup.options(rule="all_done")}, {"on_failure": ping.options(rule="all_failed")}])
def test_a_rule_of_what_runs_in_any_case_is_refused(hooks: Any) -> None:
    with pytest.raises(DefinitionError, match=r"has a rule, but runs whatever happened before: leave it away, .*rule='all_success'"):
        pipeline(**hooks)


def test_a_rule_of_a_teardown_is_refused(line: Callable[[str], str]) -> None:
    def body() -> None:
        stop.options(rule="all_done").teardown(start())  # has a rule

    with pytest.raises(DefinitionError, match=r"teardown\(\) of task 'stop': 'stop' has a rule, but runs whatever happened") as caught:
        nodes_of(body)
    assert caught.value.where == line("has a rule")


def test_a_large_graph_is_closed_in_time() -> None:
    def body() -> None:
        cluster = start()
        value = use(cluster)
        for _ in range(5_000):
            value = report(value)
        stop.teardown(cluster)

    nodes = nodes_of(body, finally_=cleanup)
    assert len(nodes["stop"].after) == 5_001
    assert len(nodes["cleanup"].after) == 5_003
