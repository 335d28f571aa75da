"""Scores, metrics, reports and prediction of a trained detector."""
