"""The protocols of the five papers: one file each, all their tables' rows and the presets that reproduce them."""
