"""Look at a finished store: verify its values and invariants, count, draw. Nothing here writes a store."""
