"""Backbones, filters, residuals, losses and JPEG as torch modules and functions; knows no detector."""
