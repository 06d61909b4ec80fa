"""Worlds that judge the picks: models answer drawn rows, real metrics score the real splits.

Nothing here knows the picker's Gaussian model. A row has a true grade and a hardness of its own, a
model reads the grade with errors that it shares with all models, with its family, and has alone;
its answers are rounded, and accuracy, AUC or QWK is computed on the drawn public and private rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from foldwise.choosing.candidates import Candidates, Rescored
from foldwise.choosing.futures import Split
from foldwise.choosing.pick import pick

NUM_FAMILIES, PER_FAMILY = 3, 6
NUM_MODELS = NUM_FAMILIES * PER_FAMILY
NUM_TRAIN, NUM_TEST, NUM_PRIVATE_SETS = 900, 1000, 8
FAMILY = np.repeat(np.arange(NUM_FAMILIES), PER_FAMILY)


def accuracy(scores: np.ndarray, grade: np.ndarray) -> Rescored:
    """Of grades rounded from (M, N) scores."""
    right = (np.clip(np.rint(scores), 0, 4) == grade).astype(np.float64)
    return lambda weights: right @ weights / weights.sum()


def auc(scores: np.ndarray, grade: np.ndarray) -> Rescored:
    """Of grades above 1 against the others; scores have no ties."""
    order = np.argsort(scores, axis=1)
    is_high = (grade > 1)[order]

    def rescored(weights: np.ndarray) -> np.ndarray:
        ordered = weights[order]
        below = np.cumsum(ordered * ~is_high, axis=1)
        high = ordered * is_high
        return (high * below).sum(axis=1) / (high.sum(axis=1) * below[:, -1])

    return rescored


def qwk(scores: np.ndarray, grade: np.ndarray) -> Rescored:
    """Quadratic weighted kappa of grades rounded from (M, N) scores."""
    num, num_rows = scores.shape
    cell = 5 * np.clip(np.rint(scores), 0, 4).astype(int) + grade
    place = (cell + 25 * np.arange(num)[:, None]).ravel()
    rows = np.tile(np.arange(num_rows), num)
    counts = sparse.csr_array((np.ones(place.size), (place, rows)), shape=(25 * num, num_rows))
    distance = np.square(np.arange(5)[:, None] - np.arange(5))

    def rescored(weights: np.ndarray) -> np.ndarray:
        confusion = (counts @ weights).reshape(num, 5, 5)
        chance = np.einsum("mi,mj->mij", confusion.sum(axis=2), confusion.sum(axis=1))
        return 1 - (confusion * distance).sum(axis=(1, 2)) * weights.sum() / (
            chance * distance
        ).sum(axis=(1, 2))

    return rescored


def rmse(scores: np.ndarray, grade: np.ndarray) -> Rescored:
    """Root mean squared error of (M, N) scores."""
    missed = np.square(scores - grade)
    return lambda weights: np.sqrt(missed @ weights / weights.sum())


LOWER_IS_BETTER = (rmse,)


@dataclass(frozen=True)
class World:
    """How hard test is for whom.

    Attributes:
        metric: of the competition.
        num_blends: candidates that are means of two to five of the better half of the models.
        per_group: rows that share their hardness, and are drawn together.
        common: how much noisier all models read test rows.
        family_drop: how much noisier a stricken family reads them.
        num_submitted: candidates with a public score.
        public_share: of the test rows.
    """

    metric: Callable[[np.ndarray, np.ndarray], Rescored]
    num_blends: int = 0
    per_group: int = 1
    common: float = 0.0
    family_drop: float = 0.0
    num_submitted: int = 9
    public_share: float = 0.3


def grades_and_readings(
    num: int,
    skills: np.ndarray,
    family_noise: np.ndarray,
    rng: np.random.Generator,
    per_group: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) grades and (M, N) scores; `skills` and `family_noise` are (M,) sizes of errors."""
    grade = rng.choice(5, num, p=[0.45, 0.1, 0.25, 0.1, 0.1])
    hardness = np.repeat(rng.gamma(2.0, 0.5, -(-num // per_group)), per_group)[:num]
    shared = rng.standard_t(5, num) * 0.35
    of_family = rng.standard_t(5, (NUM_FAMILIES, num))[FAMILY] * (0.25 + family_noise[:, None])
    alone = rng.laplace(0, 1, (NUM_MODELS, num)) * skills[:, None]
    return grade, grade + hardness * (shared + of_family + alone)


def drawn(world: World, seed: int) -> tuple[Candidates, Split, np.ndarray]:
    """Candidates as a competitor sees them, the split, and (P, M) scores on private sets, signed.

    The private sets are draws of other test rows: what one decision gets on each of them.
    """
    rng = np.random.default_rng(seed)
    skills = 0.42 + 0.025 * rng.standard_gamma(2, NUM_MODELS)
    none = np.zeros(NUM_MODELS)
    stricken = rng.permutation(NUM_FAMILIES) < rng.integers(1, NUM_FAMILIES)
    noise = world.common + world.family_drop * rng.uniform(0.5, 1.5, NUM_FAMILIES) * stricken

    def on_test(num: int) -> np.ndarray:
        grade, scores = grades_and_readings(num, skills, noise[FAMILY], rng, world.per_group)
        return world.metric(mixes @ scores, grade)(np.ones(num))

    grade, scores = grades_and_readings(NUM_TRAIN, skills, none, rng, world.per_group)
    sign = -1 if world.metric in LOWER_IS_BETTER else 1
    mixes = np.eye(NUM_MODELS)
    if world.num_blends:  # Drawn only here: the worlds without them stay what they were.
        solo = sign * world.metric(scores, grade)(np.ones(NUM_TRAIN))
        mixes = np.vstack([mixes, blends(np.argsort(-solo), world.num_blends, rng)])
    rescored = world.metric(mixes @ scores, grade)
    num_public = int(world.public_share * NUM_TEST)
    public = on_test(num_public)
    best_cv = np.argsort(-sign * rescored(np.ones(NUM_TRAIN)))
    # Submitted are mostly the best by cv and a few of all kinds, as people do.
    half = world.num_submitted // 2
    others = rng.permutation(best_cv[half:])[: world.num_submitted - half]
    submitted = np.concatenate([best_cv[:half], others])
    num = len(mixes)
    seen = np.full(num, np.nan)
    seen[submitted] = public[submitted]
    candidates = Candidates(
        names=tuple(f"m{number}" for number in range(num)),
        rescored=rescored,
        units=np.arange(NUM_TRAIN) // world.per_group,
        families=mixes @ np.eye(NUM_FAMILIES)[FAMILY],
        sources=mixes,
        public=seen,
        is_honest=np.ones(num, dtype=bool),
        is_reproducible=np.ones(num, dtype=bool),
        higher_is_better=sign > 0,
        lowest=0.0,
        highest=np.inf if sign < 0 else 1.0,
    )
    num_private = NUM_TEST - num_public
    split = Split(num_public // world.per_group, num_private // world.per_group)
    private = np.array([on_test(num_private) for _ in range(NUM_PRIVATE_SETS)])
    return candidates, split, sign * private


def blends(best_first: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """(num, M) weights of means of two to five models of the better half."""
    weights = np.zeros((num, NUM_MODELS))
    for row in weights:
        members = rng.choice(best_first[: NUM_MODELS // 2], rng.integers(2, 6), replace=False)
        row[members] = 1 / len(members)
    return weights


@dataclass(frozen=True)
class Judged:
    """(D, 3) per draw what the picks, the two best on public and the two best by cv got.

    Attributes:
        rank: share of the candidates that beat the best of the two, mean over the private sets.
        score: private score of the best of the two, higher being better, likewise.
    """

    rank: np.ndarray
    score: np.ndarray

    def lost(self, rule: int, which: str = "rank") -> tuple[float, float, float]:
        """Mean of what picks lose on a rule (1: public, 2: cv), and its 95 % interval."""
        values = getattr(self, which)
        lost = values[:, 0] - values[:, rule]
        error = lost.std(ddof=1) / np.sqrt(len(lost))
        return (
            float(lost.mean()),
            float(lost.mean() - 1.96 * error),
            float(lost.mean() + 1.96 * error),
        )


def judged(world: World, seeds: range, *, num_resamples: int = 100) -> Judged:
    """The three rules in as many draws of a world."""
    ranks, scores = [], []
    for seed in seeds:
        candidates, split, private = drawn(world, seed)
        found = pick(candidates, split, num_resamples=num_resamples)
        by_public = found.by_public or found.by_cv  # Nothing was submitted.
        best = [
            private[:, list(rule.members)].max(axis=1, keepdims=True)
            for rule in (found.picked, by_public, found.by_cv)
        ]
        ranks.append([(private > score).mean() for score in best])
        scores.append([score.mean() for score in best])
    return Judged(np.array(ranks), np.array(scores))
