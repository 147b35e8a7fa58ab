"""Language models that installed packages register under the entry-point group `auricle.language_models`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from ...schemas.errors import ConfigError
from .language_model import CodeLanguageModel

GROUP = "auricle.language_models"


def installed() -> list[CodeLanguageModel]:
    """All of them, in order of their names. Raises `ConfigError` for one that cannot be imported or is none."""
    points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    return [_loaded(points[name]) for name in sorted(points)]


def _loaded(point: EntryPoint) -> CodeLanguageModel:
    try:
        model = point.load()
    except Exception as error:
        raise ConfigError(
            f"language model {point.name!r} ({point.value}) cannot be imported: {error}. Mend or uninstall its package"
        ) from error
    if not isinstance(model, CodeLanguageModel) or model.name != point.name:
        raise ConfigError(
            f"language model {point.name!r} ({point.value}): an object of that name with `knows` and `probabilities` "
            f"is required, found {model!r}. Mend or uninstall its package"
        )
    return model
