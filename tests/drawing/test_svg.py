from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.definition.graph import HOOK, Branch, Child, Graph, Maybe, Output
from eventflow.drawing.lines import NO, lines
from eventflow.drawing.svg import svg
from tests.drawing.pictures import EVERYTHING, ended, node

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
ALL = ended(EVERYTHING)


def parsed(graph: Graph) -> ET.Element:
    return ET.fromstring(svg(graph, {"path": Path}))


def nodes(picture: ET.Element) -> dict[str, ET.Element]:
    found = [group for group in picture.iter(f"{SVG}g") if "data-node" in group.attrib]
    assert len({group.attrib["data-node"] for group in found}) == len(found)
    return {group.attrib["data-node"]: group for group in found}


def words(element: ET.Element) -> list[str]:
    return ["".join(one.itertext()) for one in element.iter(f"{SVG}text")]


def drawn_lines(picture: ET.Element) -> set[tuple[str, str, str]]:
    paths = [path for path in picture.iter(f"{SVG}path") if "data-source" in path.attrib]
    return {(path.attrib["data-source"], path.attrib["data-target"], path.attrib["class"].removeprefix("line ")) for path in paths}


def test_every_node_appears_once_with_its_name() -> None:
    found = nodes(parsed(ALL))
    assert [path for path in found if not path.startswith("prepare")] == [one.name for one in ALL.nodes if one.name != "prepare"]
    assert {path for path in found if path.startswith("prepare")} == {
        "prepare",
        *(f"prepare[].{name}" for name in ("read", "check", "count", "clear")),
    }
    assert all(path.rpartition(".")[2] in words(group) for path, group in found.items())


@pytest.mark.parametrize(
    ("path", "look", "said"),
    [
        ("load", "task", ["load"]),
        ("train", "map", ["train", "each rate, pace \u00d7 seed"]),
        ("when_judge", "branch", ["better | 2", "when_judge"]),
        ("otherwise", "branch", ["otherwise"]),
        ("approval", "wait", ["approval", "waits for an answer"]),
        ("sleep_until", "wait", ["sleep_until", "waits for a time"]),
        ("rollout", "child", ["rollout", "runs rollout"]),
        ("audit", "child", ["audit", "starts auditing"]),
        ("report", "task", ["report", "all_done"]),
        ("mend", "task", ["mend", "passes on if skipped \u00b7 one_failed"]),
        ("free", "task closing", ["free", "teardown"]),
        ("alert", "task closing", ["alert", "on failure"]),
        ("clean_up", "task closing", ["clean_up", "finally"]),
        ("prepare", "map-frame map", ["prepare", "each i0"]),
    ],
)
def test_each_kind_of_node_has_its_look_and_its_words(path: str, look: str, said: list[str]) -> None:
    found = nodes(parsed(ALL))[path]
    assert found.attrib["class"] == look
    assert words(found) == said


def test_a_trigger_rule_stands_out() -> None:
    (marked,) = [one for one in nodes(parsed(ALL))["mend"].iter(f"{SVG}tspan") if one.attrib["class"] == "rule"]
    assert marked.text == "one_failed"


def test_every_line_is_drawn_and_so_is_what_leads_to_the_result() -> None:
    found = drawn_lines(parsed(ALL))
    assert {tuple(line) for line in lines(ALL.nodes)} <= found
    assert {("report", "=", "one_of"), ("mend", "=", "one_of")} <= found


def test_groups_and_the_end_have_titles() -> None:
    assert {"features", "image", "at the end"} <= set(words(parsed(ALL)))
    assert words(parsed(ALL)).count("at the end") == 2


def test_the_title_is_the_pipeline_with_its_parameters() -> None:
    assert words(parsed(ALL))[:2] == ["everything", "path: Path"]


def test_a_branch_is_left_at_its_side_where_it_is_not_taken() -> None:
    (path,) = [one for one in parsed(ALL).iter(f"{SVG}path") if one.attrib["class"] == f"line {NO}"]
    assert (path.attrib["data-source"], path.attrib["data-target"]) == ("when_judge", "otherwise")
    assert "no" in words(parsed(ALL))


HOSTILE = "<script>alert('&\"')</script>\x00\x1b[31m\ud800\u202e\n"


def test_names_are_escaped() -> None:
    graph = Graph(
        HOSTILE,
        (
            node(HOSTILE),
            node("when", HOSTILE, does=Branch([HOSTILE, {"<b>": "&"}])),
            node("child", does=Child(HOSTILE), rule=HOSTILE, within="when"),
            node("hook", after=("child",), role=HOOK, on=HOSTILE, of="child"),
            node(f"{HOSTILE}.group.{HOSTILE}", Maybe(Output(HOSTILE))),
        ),
    )
    raw = svg(graph, {HOSTILE: int})
    picture = ET.fromstring(raw.encode())
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        "svg", "title", "style", "rect", "text", "tspan", "g", "path",
    }  # fmt: skip
    assert [char for char in raw if not char.isprintable() and char != "\n"] == []
    assert r"<script>alert('&\"')</script>\x00\x1b[31m\ud800\u202e\n".replace(r"\"", '"') in nodes(picture)


@given(st.text(min_size=1, max_size=60))
def test_any_text_gives_a_whole_document(name: str) -> None:
    graph = Graph(name, (node("a"), node("when", "a", does=Branch([name]), rule=name), node("c", does=Child(name), within="when")))
    ET.fromstring(svg(graph, {name: int}).encode())


def test_a_picture_stands_alone() -> None:
    raw = svg(ALL, {}).replace("http://www.w3.org/2000/svg", "")
    assert [word for word in ("script", "http", "url(", "@import", "@font-face", "href", "onload") if word in raw] == []
    assert "prefers-color-scheme: dark" in raw


def test_each_colour_of_the_light_sheet_has_one_in_the_dark_sheet() -> None:
    style = svg(ALL, {}).partition("<style>")[2].partition("</style>")[0]
    light, dark = style.split("@media")
    coloured = {line.partition(" {")[0] for line in light.splitlines() if "#" in line}
    assert coloured == {line.partition(" {")[0] for line in dark.splitlines() if "#" in line}


@pytest.mark.parametrize(
    "graph", [Graph("empty", ()), Graph("one", (node("only"),)), Graph("long", (node("n" * 64),))], ids=lambda graph: graph.pipeline
)
def test_small_and_odd_graphs_are_drawn(graph: Graph) -> None:
    picture = parsed(graph)
    assert len(nodes(picture)) == len(graph.nodes)
    assert all(
        float(rect.attrib["x"]) + float(rect.attrib["width"]) <= float(picture.attrib["width"])
        for rect in picture.iter(f"{SVG}rect")
        if "x" in rect.attrib
    )


def test_a_name_too_long_for_its_box_is_cut_and_stands_whole_in_its_title() -> None:
    (found,) = nodes(parsed(Graph("long", (node("n" * 64),)))).values()
    assert words(found) == ["n" * 43 + "\u2026"]
    assert found.findtext(f"{SVG}title") == "n" * 64


def test_five_hundred_nodes_are_drawn_once_each() -> None:
    chain = Graph(
        "big", (node("n0"), *(node(f"n{number}", *dict.fromkeys((f"n{number - 1}", f"n{number * 7 // 11}"))) for number in range(1, 500)))
    )
    assert len(nodes(parsed(chain))) == 500


def test_the_same_graph_gives_the_same_bytes_in_every_process() -> None:
    code = "from tests.drawing.test_svg import ALL; from eventflow.drawing.svg import svg; print(svg(ALL, {}), end='')"
    drawn = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert drawn == [svg(ALL, {})] * 2
