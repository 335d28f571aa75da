"""An evaluation beside the figures of a paper's table: `rows` finds what was measured, `network` what was trained."""
