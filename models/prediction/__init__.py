"""Prediction: files that are in no store, faces found and cropped as in preprocessing, scored, drawn, listed."""
