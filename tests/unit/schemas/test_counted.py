from __future__ import annotations

import pytest

from auricle.schemas.counted import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 clips"), (1, "1 clip"), (2, "2 clips"), (1234, "1,234 clips")])
def test_one_is_one(number: int, said: str) -> None:
    assert counted(number, "clip") == said


def test_other_plurals_are_given() -> None:
    assert [counted(n, "archive is", "archives are") for n in (1, 3)] == ["1 archive is", "3 archives are"]
