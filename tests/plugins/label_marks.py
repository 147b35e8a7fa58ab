"""Labels in the form `talk.wav@1.5-3.0: what was said`."""

import re
from collections.abc import Iterator

from auricle.pipelines.labels.formats import Found, LabelFormat, Options
from auricle.pipelines.labels.place import Place, folder_of
from auricle.pipelines.labels.rows import Row, Unusable, UnusableError, label, span

LINE = re.compile(r"(.+)@(\S+)-(\S+): (.*)")


def rows(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    with place.lines(name) as lines:
        for number, line in enumerate(lines, start=1):
            match = LINE.match(line)
            path = place.relative(match[1], folder_of(name)) if match else None
            if match is None or path is None:
                yield Unusable("it is not file@start-end: text", f"line {number}")
                continue
            try:
                start_s, duration_s = span(match[2], end=match[3])
            except UnusableError as error:
                yield Unusable(str(error), f"line {number}")
                continue
            yield label(path, transcript=match[4], start_s=start_s, duration_s=duration_s)


def fits(found: Found) -> bool:
    return found.ending == ".marks"


MARKS = LabelFormat("marks", "lines `file@start-end: text`", fits, rows)
