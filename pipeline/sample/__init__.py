"""The embedded sample: a small dataset in FaceForensics++'s layout, of one photograph or of clips or portraits.

It exists because no face-forgery dataset may be redistributed, while every command, test and tour needs videos in which
the true label of each pixel is known. Each part is there for something that would fail without it:

===================  ==================================================================================================
`photograph`         a face that MTCNN and dlib find, and that may be redistributed: drawn faces are not found
`traits`,            20 people whom a face descriptor tells apart, in shape, skin, hair, beard and glasses: else splits
`portrait`           by person, pairs, and what is found of another person (registration, blends) mean nothing
`motion`, `actor`    heads that move, speak and blink smoothly, with landmarks known exactly: tracking, sampling and
                     registration in time have something to follow, and landmarks something to be compared with
`surroundings`       a background of its own for each person, textured: registration in space and noise maps read it
`forgery`            fakes equal to the real outside an exact region, in whole chroma blocks: `mask`, `ssim` and `hull`
                     labels have a truth
`manipulations`      four methods with the traces that the five detectors look for (blended edge, low-rank patch, warped
                     mouth, upsampling lattice) and regions of different extent: six-class and cross-method runs learn
`footage`, `camera`  the same from a lab's own clips or portraits (`--videos`, `--portraits`)
`task`, `layout`,    files in three compressions, the official folder names and split lists, and a folder that an
`marker`, `make`     interrupted run completes
===================  ==================================================================================================
"""

from pipeline.sample.make import Summary, make_sample

__all__ = ["Summary", "make_sample"]
