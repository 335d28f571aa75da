"""Read frames of videos, stills and archives, choose which, encode video, hash files. Any room may import it.

Only `pipeline.video.frames` imports decord.
"""
