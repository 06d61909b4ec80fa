"""The noise of a difference between two recipes, from rows and from seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Noise:
    """Variances of a difference of mean scores, and how well they are known.

    Attributes:
        rows: variance when other rows are drawn and the networks stay.
        df_rows: rows or groups drawn, less one.
        per_pair: variance of the difference of one pair of seeds when the rows stay and the
            networks are trained again; None: unknown, or there are no seeds.
        overlap_per_pair: the part of it that is in `rows` as well.
        share: variance of the mean over all seeds as a share of that of one pair.
        df_seeds: degrees of freedom of `per_pair`.
        df_per_seed: degrees of freedom that each further pair of seeds adds.
    """

    rows: float
    df_rows: float
    per_pair: float | None = None
    overlap_per_pair: float = 0.0
    share: float = 1.0
    df_seeds: float = 1.0
    df_per_seed: float = 1.0

    @property
    def added(self) -> float:
        """What seeds add to the variance of the rows; never less than nothing.

        What is in both is no more than all there is of the rows: of two runs that answer nearly
        alike the overlap, known from each by itself, would be larger than that.
        """
        in_both = min(self.share * self.overlap_per_pair, self.rows)
        return max(0.0, self.share * (self.per_pair or 0.0) - in_both)

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return float((self.rows + self.added) ** 0.5)

    @property
    def df(self) -> float:
        """Degrees of freedom of the error's square, by Satterthwaite."""
        seeds = self.share * (self.per_pair or 0.0)
        doubt = seeds**2 / self.df_seeds + self.rows**2 / self.df_rows
        return float((self.rows + self.added) ** 2 / doubt) if doubt else self.df_rows

    @property
    def lasting(self) -> float:
        """Variance that no further seed takes away."""
        return max(0.0, self.rows - self.share * self.overlap_per_pair)

    def after(self, num_seeds: int) -> Noise:
        """The noise of the mean over this many pairs of seeds."""
        return replace(
            self,
            rows=self.lasting + self.overlap_per_pair / num_seeds,
            share=1 / num_seeds,
            df_seeds=max(self.df_seeds, self.df_per_seed * (num_seeds - 1)),
        )
