"""Training of a detector: `setup` (job and rows), `batches`, `optimisation`, `loop`, `validation`, `record`.

`loop` is the place to start reading. Four objects carry a run: `Job` (what is asked for), `Data` (the rows), `State`
(where the run stands, part of its checkpoint) and `Run` (network, optimisers and log of this process).
"""
