from __future__ import annotations

import pytest
from pydantic import ValidationError

from auricle.schemas.requirement import accepts, reason_word
from auricle.schemas.source_config import Source


@pytest.mark.parametrize(
    ("wanted", "value", "fits"),
    [
        ("cc0", "CC0", True),
        ("cc0", " cc0 ", True),
        ("cc0", "CC0-1.0", True),
        ("cc0", "cc0 1.0", True),
        ("cc0", "https://creativecommons.org/publicdomain/zero/1.0/", True),
        ("cc-by", "CC-BY-4.0", True),
        ("cc-by", "CC BY 3.0", True),
        ("CC BY", "cc_by", True),
        ("cc-by", "http://creativecommons.org/licenses/by/4.0/deed.en", True),
        ("cc-by", "CC-BY-NC-4.0", False),
        ("cc-by", "CC-BY-SA", False),
        ("cc-by", "CC-BY-4.0-NC", False),
        ("cc-by", "https://creativecommons.org/licenses/by-nc/4.0/", False),
        ("cc-by-4.0", "cc-by-4.0", True),
        ("cc-by-4.0", "cc-by-3.0", False),
        ("cc-by-4.0", "cc-by", False),
        ("cc-by-4", "cc-by-4.0", False),
        ("20", "20-29", False),
        ("true", "Yes", True),
        ("true", "TRUE", True),
        ("false", "yes", False),
        ("apache", "Apache-2.0", True),
        ("cc0", None, False),
        ("cc0", "", False),
        ("female", "female", True),
        ("male", "female", False),
    ],
)
def test_a_value_is_accepted_in_any_spelling_and_a_name_without_a_number_with_any(
    wanted: str, value: str | None, fits: bool
) -> None:
    assert accepts([wanted], value) is fits


def test_one_of_several_is_enough() -> None:
    assert accepts(["cc0", "cc-by"], "CC-BY-4.0")
    assert not accepts(["cc0", "cc-by"], "cc-by-nd")


def test_reasons_are_words() -> None:
    assert reason_word("licence") == "requires_licence"
    assert reason_word("My 'Licence' (2)") == "requires_my_licence_2"
    assert reason_word("許可") == "requires_column"


def test_yaml_gives_values_of_any_type_and_one_value_alone() -> None:
    source = Source.model_validate(
        {
            "path": ".",
            "carry": ["licence", "consent", "wave"],
            "require": {"licence": "cc0", "consent": True, "wave": [2]},
        }
    )
    assert source.require == {"licence": ["cc0"], "consent": ["true"], "wave": ["2"]}


def test_what_is_required_must_be_carried_and_have_a_value() -> None:
    with pytest.raises(ValidationError, match="'licence' is required and not carried: add it to `carry`"):
        Source.model_validate({"path": ".", "carry": ["Licence"], "require": {"licence": ["cc0"]}})
    with pytest.raises(ValidationError, match="has no value that would be accepted"):
        Source.model_validate({"path": ".", "carry": ["licence"], "require": {"licence": []}})
