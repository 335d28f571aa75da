"""Relation of a fake to its real in time and place, measured on grey pictures and undone. No I/O.

`offsets` finds which frame of the real each frame of the fake shows, `placement` where its picture lies in the real's,
`relation` both of them.
"""
