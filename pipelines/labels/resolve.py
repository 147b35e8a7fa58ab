"""Which recording each label is of: by its path, else by the name that the label calls it."""

from __future__ import annotations

from typing import Any

STEM = r"regexp_extract(path, '([^/]+?)(\.[^./]*)?$', 1)"


def resolve(db: Any) -> list[tuple[str, int, str]]:
    """Make table `labels` of `labels_read` (`rows.LABELS`) and `files_listed` (source, path), in a DuckDB connection.

    A label's path is taken where there is such a file. Else its reference is looked for among the names of the
    source's files without folder and ending: below the label file's own folder first, then anywhere; files that
    differ only in their ending are one recording. A name that fits several recordings is nobody's.
    Returns (source, labels, example) of names that fit several.
    """
    below = "regexp_replace(label_file, '[^/]*$', '')"
    db.execute(
        f"""CREATE OR REPLACE TABLE unplaced AS
        SELECT DISTINCT l.source, l.path, l.reference, {below} AS below
        FROM labels_read l LEFT JOIN files_listed f ON f.source = l.source AND f.path = l.path
        WHERE f.path IS NULL AND l.reference IS NOT NULL"""
    )
    if not db.execute("SELECT count(*) FROM unplaced").fetchone()[0]:
        # as in nearly every corpus: the joins that follow cost as much again
        db.execute("DROP TABLE unplaced")
        db.execute(
            """CREATE OR REPLACE TABLE labels AS
            SELECT * EXCLUDE (reference) REPLACE (coalesce(path, reference) AS path) FROM labels_read"""
        )
        return []
    each = "PARTITION BY source, path, reference, below"
    db.execute(
        f"""CREATE OR REPLACE TABLE placed AS
        SELECT *, min(recording) OVER ({each}) = max(recording) OVER ({each}) AS one FROM (
            SELECT u.source, u.path, u.reference, u.below, f.path AS found,
                regexp_replace(f.path, '\\.[^./]*$', '') AS recording
            FROM unplaced u JOIN (SELECT source, path, {STEM} AS stem FROM files_listed) f
                ON f.source = u.source AND f.stem = u.reference
            QUALIFY starts_with(f.path, u.below) = max(starts_with(f.path, u.below)) OVER (
                PARTITION BY u.source, u.path, u.reference, u.below))"""
    )
    several = db.execute(
        """SELECT source, count(*), min(reference) FROM (
            SELECT DISTINCT source, reference, below FROM placed WHERE NOT one) GROUP BY source ORDER BY source"""
    ).fetchall()
    db.execute(
        """CREATE OR REPLACE TABLE labels AS
        SELECT l.* EXCLUDE (reference) REPLACE (coalesce(p.found, l.path, l.reference) AS path)
        FROM labels_read l LEFT JOIN (SELECT * FROM placed WHERE one) p ON p.source = l.source
            AND p.path IS NOT DISTINCT FROM l.path AND p.reference = l.reference
            AND p.below = regexp_replace(l.label_file, '[^/]*$', '')"""
    )
    for table in ("unplaced", "placed"):
        db.execute(f"DROP TABLE {table}")
    return several
