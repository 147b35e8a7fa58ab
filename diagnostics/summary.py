"""What the pipeline asks for: one representation in, one record of its predictability out."""

from .codes_diagnosis import CodesDiagnosis, diagnose_codes
from .directions_diagnosis import DirectionsDiagnosis, diagnose_directions
from .estimate import Estimate
from .latents_diagnosis import LatentsDiagnosis, diagnose_latents
from .samples import Sample, Samples

__all__ = [
    "CodesDiagnosis",
    "DirectionsDiagnosis",
    "Estimate",
    "LatentsDiagnosis",
    "Sample",
    "Samples",
    "diagnose_codes",
    "diagnose_directions",
    "diagnose_latents",
]
