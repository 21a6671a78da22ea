from __future__ import annotations

from eventflow.definition.graph import Branch, Graph
from eventflow.drawing.mermaid import mermaid
from tests.drawing.pictures import EVERYTHING, ended, node
from tests.drawing.test_text import DIAMOND


def test_values_get_arrows_and_order_dotted_ones() -> None:
    assert mermaid(DIAMOND).splitlines() == [
        "flowchart TD",
        '    n0["a"]',
        '    n1["left"]',
        '    n2["right"]',
        '    n3["b"]',
        '    n4["alone"]',
        "    n0 --> n1",
        "    n0 --> n2",
        "    n1 -.-> n2",
        "    n1 --> n3",
        "    n2 --> n3",
        "    n0 -.-> n3",
    ]


def test_every_structure_has_its_form() -> None:
    assert mermaid(ended(EVERYTHING)).splitlines() == [
        "flowchart TD",
        '    n0["load"]',
        '    subgraph g0["features"]',
        '        n1["text"]',
        '        subgraph g1["image"]',
        '            n2["scale"]',
        '            n3["cut"]',
        "        end",
        "    end",
        '    n4["join"]',
        '    n5{{"train<br/>each rate, pace \u00d7 seed"}}',
        '    subgraph n6["prepare<br/>each i0"]',
        '        n7["read"]',
        '        n8["check"]',
        '        n9{{"count<br/>each i0"}}',
        '        subgraph g2["at the end"]',
        '            n10["clear<br/>finally"]',
        "        end",
        "    end",
        '    n11["judge"]',
        '    n12{"when_judge"}',
        '    n13["deploy"]',
        '    n14["tell"]',
        '    n15{"otherwise"}',
        '    n16(["approval<br/>waits for an answer"])',
        '    n17{"when_approval"}',
        '    n18(["wait_for<br/>waits for an event"])',
        '    n19(["sleep_until<br/>waits for a time"])',
        '    n20[["rollout<br/>runs rollout"]]',
        '    n21[["audit<br/>starts auditing"]]',
        '    n22["report<br/>all_done"]',
        '    n23["mend<br/>passes on if skipped<br/>one_failed"]',
        '    n24["free<br/>teardown"]',
        '    n25["alert<br/>on failure"]',
        '    subgraph g3["at the end"]',
        '        n26["clean_up<br/>finally"]',
        '        n27["unclean<br/>on failure"]',
        '        n28["run_failed<br/>on failure"]',
        "    end",
        "    n0 --> n1",
        "    n0 --> n2",
        "    n2 --> n3",
        "    n1 --> n4",
        "    n3 --> n4",
        "    n4 --> n5",
        "    n0 --> n6",
        "    n5 --> n11",
        "    n6 --> n11",
        "    n11 --> n12",
        "    n5 --> n13",
        '    n12 -->|"better | 2"| n13',
        "    n13 --> n14",
        "    n12 -->|no| n15",
        "    n11 --> n16",
        "    n15 --> n16",
        "    n16 --> n17",
        '    n17 -->|"yes"| n18',
        "    n18 -.-> n19",
        "    n5 --> n20",
        "    n19 -.-> n20",
        "    n11 --> n21",
        "    n13 -.->|one of| n22",
        "    n20 -.->|one of| n22",
        "    n14 -.->|maybe| n22",
        "    n22 -.-> n23",
        "    n0 --> n24",
        "    n13 -.-> n24",
        "    n11 -.-> n25",
        "    n26 -.-> n27",
        "    n26 -.-> n28",
        "    n7 --> n8",
        "    n8 --> n9",
        "    classDef closing stroke-dasharray: 5 4",
        "    class n10,n24,n25,n26,n27,n28 closing",
    ]


def test_names_are_escaped() -> None:
    graph = Graph("p", (node('a"]\n<b>#`'), node("when", does=Branch(['"|']), after=('a"]\n<b>#`',)), node("in", within="when")))
    drawn = mermaid(graph)
    assert '    n0["a#34;]\\n#60;b#62;#35;#96;"]' in drawn.splitlines()
    assert '    n1 -->|"#34;|"| n2' in drawn.splitlines()
