"""Devices, checkpoints, logs and memory: what training and evaluation share beside the data."""
