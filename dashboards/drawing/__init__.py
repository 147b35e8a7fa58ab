"""Charts, spectrograms, tables of numbers and the page frame: what both pages are drawn with.

In: numbers and text. Out: HTML and SVG strings."""
