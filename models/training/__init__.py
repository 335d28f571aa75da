"""Train a detector: set-up of a run, its state, one optimisation step, the loop."""
