"""Tone mapping: makes pictures of HDR films (PQ, HLG) what an SDR screen shows.

Shown as they are coded they are grey and dull. Luminance is compressed by the curve of ITU-R
BT.2390 (5.4.1) to that of reference white, 203 cd/m2 (BT.2408), which becomes the white of the
picture; primaries are converted from BT.2020 to BT.709.
"""

from __future__ import annotations

import functools

import av
import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67

_WHITE = 203.0  # cd/m2
_HLG_PEAK = 1000.0  # cd/m2, of the screen that HLG is mapped to
_PEAK = 1000.0  # cd/m2, for what is measured without looking for a frame's own peak
_GAMMA = 2.4  # of an SDR screen, BT.1886
_TO_709 = np.array(  # linear BT.2020 to BT.709 (BT.2087)
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
_LUMINANCE = np.array([0.2627, 0.678, 0.0593], np.float32)  # of BT.2020
_STEPS = 4096  # of tables
_M1, _M2, _C1, _C2, _C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875  # of PQ
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # of HLG


def is_hdr(frame: av.VideoFrame) -> bool:
    """Returns whether a frame says that it is coded in PQ or HLG."""
    return int(frame.color_trc) in (PQ, HLG)


def tone_mapped(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Returns an HDR frame as SDR: BGR uint8 [height, width, 3]."""
    coded = np.asarray(frame.to_ndarray(format="rgb48le"), np.uint16)
    light = _linear(int(frame.color_trc))[coded]  # cd/m2, but for HLG's system gamma
    if int(frame.color_trc) == HLG:
        light *= np.maximum(light @ _LUMINANCE / _HLG_PEAK, 1e-6)[..., None] ** 0.2
    brightest = light.max(axis=2)
    peak = max(_WHITE, float(np.quantile(brightest[::4, ::4], 0.999)))
    place = np.sqrt(np.sqrt(np.minimum(brightest / peak, 1))) * (_STEPS - 1)
    light *= (_gains(peak) / _WHITE)[place.astype(np.int32)][..., None]
    sdr = np.clip(light @ _TO_709.T, 0, 1)
    return np.ascontiguousarray(_coded()[np.rint(sdr * 65535).astype(np.int32)][..., ::-1])


def luma_table(transfer: int) -> NDArray[np.uint8]:
    """Returns what 8-bit luma of an HDR film, of limited range, is in SDR: uint8 [256]."""
    signal = np.clip((np.arange(256) - 16) / 219, 0, 1)
    light = _linear(transfer)[np.rint(signal * 65535).astype(int)]
    if transfer == HLG:
        light = light * np.maximum(light / _HLG_PEAK, 1e-6) ** 0.2
    place = np.minimum(light / _PEAK, 1) ** 0.25 * (_STEPS - 1)
    sdr = np.clip(light * _gains(_PEAK)[place.astype(int)] / _WHITE, 0, 1)
    return np.rint(16 + 219 * sdr ** (1 / _GAMMA)).astype(np.uint8)


@functools.cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Returns light in cd/m2 for each 16-bit code: float32 [65536]."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        return _from_pq(signal).astype(np.float32)
    low, high = signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12
    return (_HLG_PEAK * np.where(signal <= 0.5, low, high)).astype(np.float32)


def _from_pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.asarray(signal, np.float64) ** (1 / _M2)
    return 10000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def _to_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (np.asarray(light, np.float64) / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


@functools.lru_cache(maxsize=8)
def _gains(peak: float) -> NDArray[np.float32]:
    """Returns by what light is multiplied so that `peak` becomes white: float32 [_STEPS], for the
    fourth roots of light from 0 to the peak."""
    light = peak * (np.arange(_STEPS) / (_STEPS - 1)) ** 4
    top = _to_pq(np.array(peak))
    signal, white = _to_pq(light) / top, _to_pq(np.array(_WHITE)) / top
    knee = 1.5 * white - 0.5
    t = np.clip((signal - knee) / np.maximum(1 - knee, 1e-6), 0, 1)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * white
    )
    mapped = _from_pq(np.where(signal < knee, signal, curve) * top)
    return np.clip(mapped / np.maximum(light, 1e-9), 0, 1).astype(np.float32)


@functools.cache
def _coded() -> NDArray[np.uint8]:
    """Returns the 8-bit code of linear light in steps of 1/65535: uint8 [65536]."""
    return np.rint(255 * (np.arange(65536) / 65535) ** (1 / _GAMMA)).astype(np.uint8)
