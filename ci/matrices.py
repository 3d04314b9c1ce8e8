"""Matrices of small random models: as files store them, and as the public gguf package decodes them. Of ci/logits.py."""
import gguf
import numpy as np
from gguf import GGMLQuantizationType as T


class Matrix:
    """Rows as they are stored, and as they are decoded."""

    def __init__(self, raw, values, kind, scale=None):
        self.raw, self.values, self.kind, self.scale = raw, values, kind, scale

    def rows(self, index):
        return Matrix(self.raw[index], self.values[index], self.kind, self.scale)


def bf16(values):
    """The nearest bf16 numbers, as numbers."""
    raw = gguf.quants.quantize(np.atleast_2d(values).astype(np.float32), T.BF16)
    return gguf.quants.dequantize(raw, T.BF16).reshape(np.shape(values)).astype(np.float64)


def stored(values, kind, random):
    """`values` in a type; where the package has no quantiser, blocks at random, of about their spread."""
    n, k = values.shape
    if kind in (T.Q4_K, T.Q5_K, T.Q6_K, T.NVFP4):
        block, size = gguf.GGML_QUANT_SIZES[kind]
        raw = random.integers(0, 256, (n * k // block, size), dtype=np.uint8)
        if kind == T.NVFP4:
            raw[:, :4] = random.integers(0x30, 0x44, (len(raw), 4))
        else:
            d = np.float16(values.std() / {T.Q4_K: 200, T.Q5_K: 400, T.Q6_K: 1400}[kind])
            at = 208 if kind == T.Q6_K else 0
            raw[:, at:at + 2] = np.array([d]).view(np.uint8)
            if kind != T.Q6_K:
                raw[:, 2:4] = np.array([np.float16(d * (8 if kind == T.Q4_K else 16))]).view(np.uint8)
        raw = raw.reshape(n, -1)
        scale = None
        decoded = gguf.quants.dequantize(raw, kind)
        if kind == T.NVFP4:
            scale = np.float32(values.std() / decoded.std())
            decoded = decoded * scale
        return Matrix(raw, decoded.astype(np.float64), kind, scale)
    raw = gguf.quants.quantize(values.astype(np.float32), kind)
    if kind == T.F32:
        return Matrix(raw, raw.astype(np.float64), kind)
    return Matrix(raw, gguf.quants.dequantize(raw, kind).astype(np.float64), kind)
