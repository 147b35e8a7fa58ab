"""Long recordings into clips: where nobody speaks, where to cut, which words of the labels are said where.

In: an open recording (`audio`) and what its labels say of it. Out: spans that tile it together with named gaps, the
words of each span, offset and drift of the labels' times, the noise of the whole. Imports `audio`."""
