"""Is a copy of a dataset complete, and what would a run take: looks at everything and changes nothing."""

from pipeline.doctor.diagnosis import Count, Diagnosis, diagnose
from pipeline.doctor.estimate import Estimate
from pipeline.doctor.text import known, report

__all__ = ["Count", "Diagnosis", "Estimate", "diagnose", "known", "report"]
