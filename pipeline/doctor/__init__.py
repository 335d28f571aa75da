"""Examine a copy of a dataset before a run: completeness, damage, time and disk space. Nothing is changed."""

from pipeline.doctor.diagnosis import Count, Diagnosis, diagnose
from pipeline.doctor.estimate import Estimate
from pipeline.doctor.text import known, report

__all__ = ["Count", "Diagnosis", "Estimate", "diagnose", "known", "report"]
