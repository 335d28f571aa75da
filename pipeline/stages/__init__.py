"""The stages of a run over many groups and shards: wiring with as little logic as possible.

Only `pipeline.stages.cluster` imports dask.
"""
