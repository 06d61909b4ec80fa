"""Random numbers by counter: what is drawn depends on its key alone, not on who drew before.

Keys are built with `key("order", seed, fold, epoch)`; draws for a sample are numbered by its
position in the sorted table of samples, so batch size, worker count and restarts change nothing.
"""

from __future__ import annotations

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def key(*parts: str | int) -> int:
    """A 63-bit key from words and numbers; the same on every machine.

    >>> key("order", 0, 1, 2) == key("order", 0, 1, 2) != key("order", 0, 1, 3)
    True
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def uniforms(key: int, counters: np.ndarray, num: int) -> np.ndarray:
    """Uniform numbers in [0, 1), `num` for each counter.

    Args:
        key: what is drawn, from `key()`.
        counters: (N,) non-negative int, who it is drawn for.
        num: draws per counter.

    Returns:
        (N, num) float64 in [0, 1).

    Source: the SplitMix64 finaliser, Steele, Lea and Flood (2014), "Fast splittable
    pseudorandom number generators", OOPSLA; one stream per counter, seeded by the mixed key.
    """
    rows = np.asarray(counters, dtype=np.uint64)[:, None]
    columns = np.arange(1, num + 1, dtype=np.uint64)[None, :]
    with np.errstate(over="ignore"):
        stream = _mix(_mix(np.array([[key]], dtype=np.uint64)) + rows * _GOLDEN)
        bits = _mix(stream + columns * _GOLDEN)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def again(counters: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Counters for what is drawn for the same ones again: other draws each time.

    Args:
        counters: (N,) non-negative int.
        times: (N,) how often each has been drawn for before; where it is 0 the counter stays.

    Returns:
        (N,) uint64.
    """
    with np.errstate(over="ignore"):
        mixed = _mix(np.asarray(times, dtype=np.uint64) * _GOLDEN)
    found: np.ndarray = np.asarray(counters, dtype=np.uint64) ^ mixed
    return found


def permutation(key: int, num: int) -> np.ndarray:
    """A random order of range(num), (num,) int64."""
    return np.argsort(uniforms(key, np.arange(num), 1)[:, 0], kind="stable")


def _mix(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    mixed: np.ndarray = state ^ (state >> np.uint64(31))
    return mixed
