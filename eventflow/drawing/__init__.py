"""Pictures of graphs: as text, in Mermaid's language, as SVG.

`lines` and `sketch` say what there is to draw, whatever it is drawn in; `layout` gives sizes and links coordinates, and knows nothing of
pipelines; `text`, `mermaid` and `svg` each write one kind of picture.
"""
