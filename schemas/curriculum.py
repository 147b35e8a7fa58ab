"""Arrow schema of a curriculum, `derived/<version>/curriculum.parquet`: when each kept clip joins the training."""

from __future__ import annotations

import pyarrow as pa

CURRICULUM_SCHEMA = "auricle.curriculum/1"
CURRICULUM = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("stage", pa.int32()),  # the stage from which on the clip is open; stages add up
        pa.field("tier", pa.string()),
        pa.field("difficulty", pa.float64()),  # bit/s, shrunk; null where it could not be measured
        pa.field("quantile", pa.float64()),  # of difficulty within source, language and duration class
        pa.field("duration_s", pa.float64()),
    ]
)
