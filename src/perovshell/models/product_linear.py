"""Models taken apart by the sides of a combination, for products: sums, and trees by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perovshell.arrays import Floats
from perovshell.errors import ModelFolderError
from perovshell.models.factored import FactoredForest, Sides
from perovshell.models.point import PointModel
from perovshell.models.prior import weighted_squares
from perovshell.models.stability import TEST_DESCRIPTORS
from perovshell.models.stability_model import StabilityModel
from perovshell.targets.declared import LIFETIME


@dataclass(frozen=True)
class LinearSide:
    """One side's part of a prior and a difficulty.

    Attributes:
        value: What it adds to the prior, shape (n,).
        terms: Its terms of the prior, unknown as 0, shape (n, k).
        projected: What it adds to the error of the prior's effects, shape (n, n_effects).
        variance: What errors of its descriptors add to the variance of the prior, shape (n,).
        log_size: What it adds to the log difficulty, shape (n,).
    """

    value: Floats
    terms: Floats
    projected: Floats
    variance: Floats
    log_size: Floats

    def of(self, columns: slice) -> LinearSide:
        """Return the part of a range."""
        return LinearSide(
            self.value[columns],
            self.terms[columns],
            self.projected[columns],
            self.variance[columns],
            self.log_size[columns],
        )


class ProductRegression:
    """PL or PLQY for products: the sums of `LinearPrior` and `Difficulty`, side by side."""

    def __init__(self, model: PointModel, sides: Sides) -> None:
        self.model = model
        self.forest = FactoredForest.of(model.forest, model.columns, sides)
        self._terms = sides.split(model.prior.columns)
        self._errors = sides.split(model.prior.error_columns)
        self._hardness = sides.split(model.difficulty.columns)
        if any(len(part["contrast"][0]) for part in (self._terms, self._errors, self._hardness)):
            msg = "model: with a contrast, a prior or difficulty is no sum over core and shell"
            raise ModelFolderError(msg)

    def linear(self, side: str, rows: Floats) -> LinearSide:
        """Return the part of one side, of its descriptor rows (n, n_columns)."""
        prior = self.model.prior
        entries, columns = self._terms[side]
        terms = np.nan_to_num(rows[:, columns], nan=0.0)
        hard_entries, hard_columns = self._hardness[side]
        hard = np.nan_to_num(rows[:, hard_columns], nan=0.0)
        value = terms @ prior.effects[1:][entries]
        if side == "core":
            value = value + prior.base(rows)
        wrong_entries, wrong_columns = self._errors[side]
        factors = np.array(prior.error_factors)[wrong_entries]
        return LinearSide(
            value=value,
            terms=terms,
            projected=terms @ prior.root[1:][entries],
            variance=weighted_squares(rows, wrong_columns, factors),
            log_size=hard @ self.model.difficulty.effects[1:][hard_entries],
        )

    def predict(self, core: LinearSide, shell: LinearSide, context: LinearSide) -> Floats:
        """Return the prior, shape (n_shells, n_contexts, n_cores)."""
        offset = self.model.prior.effects[0]
        other = offset + shell.value[:, None] + context.value
        return np.asarray(other[:, :, None] + core.value)

    def scale(
        self, core: LinearSide, shell: LinearSide, context: LinearSide, predicted: Floats
    ) -> Floats:
        """Return the difficulty in units of the target, of the shape of the predictions."""
        prior, difficulty = self.model.prior, self.model.difficulty
        other = prior.root[0] + shell.projected[:, None] + context.projected
        entries, _ = self._terms["core"]
        across = other @ prior.root[1:][entries].T @ core.terms.T
        squares = 2.0 * across
        variance = shell.variance[:, None] + context.variance
        squares += ((other**2).sum(axis=2) + variance)[:, :, None]
        squares += (core.projected**2).sum(axis=1) + core.variance
        np.maximum(squares, 0.0, out=squares)
        squares += prior.noise**2
        spread = np.sqrt(squares, out=squares)
        log_other = difficulty.effects[0] + shell.log_size[:, None] + context.log_size
        spread *= np.exp(log_other)[:, :, None] / prior.noise
        spread *= np.exp(core.log_size)
        if difficulty.room_effect:
            spread *= difficulty.room_factor(predicted)
        return np.asarray(spread)


@dataclass(frozen=True)
class FactoredModels:
    """The models of all targets, taken apart by side.

    Attributes:
        points: Those of the PL peak and the PLQY, by target name.
        forests: The trees of all targets, by target name.
    """

    points: Mapping[str, ProductRegression]
    forests: Mapping[str, FactoredForest]

    @classmethod
    def of(
        cls, blocks: Sequence[str], points: Mapping[str, PointModel], stability: StabilityModel
    ) -> FactoredModels:
        """Take models apart.

        Args:
            blocks: Block of each descriptor.
            points: Models of the PL peak and the PLQY, by target name.
            stability: Model of lifetimes and gains.
        """
        sides = Sides.of(blocks, extra=len(TEST_DESCRIPTORS))
        parts = {name: ProductRegression(model, sides) for name, model in points.items()}
        forests = {name: part.forest for name, part in parts.items()}
        trees = FactoredForest.of(stability.forest, stability.columns, sides)
        return cls(parts, {**forests, LIFETIME.name: trees})
