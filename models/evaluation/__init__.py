"""Scores, metrics and reports of a trained detector."""
