"""Training: read stores, train five detectors, evaluate and predict. Imports no stage of preprocessing."""
