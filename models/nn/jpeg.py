"""JPEG compression in torch, for whole batches on any device, each image at its own quality.

The lossy steps of an encoder and a decoder: BT.601 colours, chroma at half resolution, 8x8 cosine transforms,
quantisation by the standard's tables as libjpeg scales them. Entropy coding is lossless and left out.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# ITU-T T.81, tables K.1 (luminance) and K.2 (chrominance)
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *(((99,) * 8),) * 4,
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Compress and decompress images.

    Parameters
    ----------
    images : Tensor of shape (B, 3, H, W), float32
        RGB in [0, 1]; rounded to 8 bits first.
    quality : Tensor of shape (B,)
        1 to 100, as libjpeg's.

    Returns
    -------
    Tensor of shape (B, 3, H, W), float32
        RGB in [0, 1], multiples of 1/255.

    References
    ----------
    ITU-T T.81, annexes A and K; the scaling of the tables is that of the Independent JPEG Group's library.
    """
    height, width = images.shape[-2:]
    pixels = (images * 255).round().clamp(0, 255)
    colours = torch.einsum("cd,bdhw->bchw", torch.tensor(TO_YCC, device=images.device), pixels)
    padded = F.pad(colours, (0, -width % 16, 0, -height % 16), mode="replicate")
    y = padded[:, :1] - 128
    chroma = F.avg_pool2d(padded[:, 1:], 2)
    y = _code(y, _table(LUMINANCE, quality)) + 128
    chroma = _code(chroma, _table(CHROMINANCE, quality))
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)  # libjpeg's triangle filter
    decoded = torch.einsum("cd,bdhw->bchw", torch.tensor(TO_RGB, device=images.device), torch.cat([y, chroma], 1))
    return decoded[..., :height, :width].round().clamp(0, 255) / 255


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Return quantisation tables of shape (B, 1, 1, 8, 1, 8)."""
    quality = quality.round().clamp(1, 100)
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    steps = torch.tensor(base, device=quality.device)[None] * scale.view(-1, 1, 1)
    return ((steps + 50) / 100).floor().clamp(1, 255)[:, None, None, :, None, :]


def _code(plane: Tensor, table: Tensor) -> Tensor:
    """Quantise the cosine transform of every 8x8 block of a plane (B, C, H, W)."""
    batch, channels, height, width = plane.shape
    blocks = plane.reshape(batch, channels, height // 8, 8, width // 8, 8)
    basis = _basis(plane.device)
    spectrum = torch.einsum("ui,bcyixj,vj->bcyuxv", basis, blocks, basis)
    spectrum = (spectrum / table).round() * table
    blocks = torch.einsum("ui,bcyuxv,vj->bcyixj", basis, spectrum, basis)
    return blocks.reshape(batch, channels, height, width)


def _basis(device: torch.device) -> Tensor:
    """Return the orthonormal cosine basis, (8 frequencies, 8 samples)."""
    samples = torch.arange(8, device=device, dtype=torch.float32)
    basis = torch.cos(math.pi * samples[:, None] * (2 * samples + 1) / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis
