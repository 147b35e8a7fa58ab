"""What the pipeline asks for: one representation in, one record of its predictability out."""

from .codes.codes_diagnosis import CodesDiagnosis, diagnose_codes
from .estimates.estimate import Estimate
from .estimates.samples import Sample, Samples
from .latents.directions_diagnosis import DirectionsDiagnosis, diagnose_directions
from .latents.latents_diagnosis import LatentsDiagnosis, diagnose_latents
from .motion.motion_diagnosis import MotionDiagnosis, diagnose_motion

__all__ = [
    "CodesDiagnosis",
    "DirectionsDiagnosis",
    "Estimate",
    "LatentsDiagnosis",
    "MotionDiagnosis",
    "Sample",
    "Samples",
    "diagnose_codes",
    "diagnose_directions",
    "diagnose_latents",
    "diagnose_motion",
]
