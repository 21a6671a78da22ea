"""The look of an SVG picture: one sheet of styles, with a light and a dark set of colours between which the reader's system chooses.

The picture has a ground of its own, so that it can be read on any page. Colours are written where they are used, not as CSS variables: not
everything that shows SVG knows these.
"""

from __future__ import annotations

SHEET = """
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
.name { font-size: 13px; font-weight: 600 }
.note { font-size: 11px }
.title { font-size: 15px; font-weight: 700 }
.middle { text-anchor: middle }
.box { stroke-width: 1.25 }
.group > .box, .last > .box { stroke-width: 1 }
.closing > .box, .last > .box { stroke-dasharray: 5 3.5 }
.line, .icon { fill: none; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round }
.icon { stroke-width: 1.25 }
.one_of, .maybe { stroke-dasharray: 6 4 }
.order { stroke-dasharray: 0.1 4.5 }
.group > .note { stroke: #f0f3f7; stroke-width: 5px; stroke-linejoin: round; paint-order: stroke }
.ground { fill: #fbfcfd }
.name, .title { fill: #1b2430 }
.note { fill: #5c6877 }
.note.rule, .rule { fill: #a34700 }
.task > .box { fill: #ffffff; stroke: #b6c0cd }
.branch > .box { fill: #fff5da; stroke: #d99a1f }
.branch > .chip { fill: #d99a1f }
.branch > .chip-text { fill: #ffffff; font-weight: 600 }
.map > .box { fill: #edf3ff; stroke: #7c9de0 }
.map-frame > .box { fill: #f4f8ff; stroke: #9ab3e6 }
.wait > .box { fill: #f6f0ff; stroke: #a283dd }
.wait > .icon { stroke: #8259cb }
.child > .box { fill: #e6f7f1; stroke: #45a387 }
.closing > .box { fill: #f3f5f8; stroke: #7f8d9f }
.group > .box { fill: #f0f3f7; stroke: #d3dae3 }
.last > .box { fill: none; stroke: #b3bdca }
.result > .box { fill: #3a4859; stroke: #3a4859 }
.result > .note { fill: #ffffff }
.line { stroke: #8793a3 }
.tip { fill: #8793a3 }
.line.yes, .line.no { stroke: #d0921f }
.tip.yes, .tip.no { fill: #d0921f }
@media (prefers-color-scheme: dark) {
.ground { fill: #10151c }
.name, .title { fill: #e8edf3 }
.note { fill: #9ba8b8 }
.note.rule, .rule { fill: #ffb86b }
.task > .box { fill: #1b232d; stroke: #465365 }
.branch > .box { fill: #2e2510; stroke: #c08a23 }
.branch > .chip { fill: #c08a23 }
.branch > .chip-text { fill: #15110a }
.map > .box { fill: #17233b; stroke: #5678b8 }
.map-frame > .box { fill: #121b2b; stroke: #3d5687 }
.wait > .box { fill: #241b36; stroke: #8466bd }
.wait > .icon { stroke: #b598ee }
.child > .box { fill: #10291f; stroke: #3b8b72 }
.closing > .box { fill: #171d25; stroke: #74839a }
.group > .box { fill: #161c24; stroke: #2d3744 }
.group > .note { stroke: #161c24 }
.last > .box { fill: none; stroke: #4a5667 }
.result > .box { fill: #d5dce6; stroke: #d5dce6 }
.result > .note { fill: #10151c }
.line { stroke: #6c7a8c }
.tip { fill: #6c7a8c }
.line.yes, .line.no { stroke: #b9862a }
.tip.yes, .tip.no { fill: #b9862a }
}
"""
