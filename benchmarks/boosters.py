"""Which booster? Five libraries' trees on what the priors leave, under the same nested split.

Every contender gets the same papers, columns, weights and three settings from cautious to bold. It
is used in two ways: the mean of the settings, and the setting that inner folds by paper choose.
The table is that of docs/explanation/boosters.md.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from joblib import Parallel, delayed
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
)

from perovshell.arrays import Floats, Indices
from perovshell.data.dataset import Dataset
from perovshell.models.boosting import BoostConfig, fit_bounded
from perovshell.training.fit.learners import fit_prior
from perovshell.training.fit.problems import PointProblem
from perovshell.training.train import problems_of
from perovshell.training.validation.figures import PaperBootstrap
from perovshell.training.validation.folds import folds_of
from perovshell.training.validation.nested import paper_splits

FOLDS, INNER_FOLDS, JOBS = 20, 5, 2
OURS: Final = "XGBoost, pseudo-Huber with bounds (the default)"
SUBSETS: Final = {"pl": ("all", "lead_no_cspbcl3", "coated"), "plqy": ("all", "coated")}
Shape = tuple[int, int, float]
Fit = Callable[[PointProblem, Indices, Floats, Shape], Callable[[Indices], Floats]]


# The contenders ------------------------------------------------------------------------------


def xgboost(*, squared: bool = False) -> Fit:
    """Return the default trees, whose loss is linear from the target's scale on, or nowhere."""

    def fit(
        problem: PointProblem, rows: Indices, start: Floats, shape: Shape
    ) -> Callable[[Indices], Floats]:
        config = BoostConfig(problem.spec.boosters[0].groups, *shape)
        trees = fit_bounded(
            problem.matrix[rows],
            problem.target[rows],
            [problem.bounds[row] for row in rows],
            problem.weights(rows),
            start[rows],
            np.inf if squared else problem.spec.loss_scale,
            (config, config.columns(problem.column_groups), 0),
        )
        return lambda other: start[other] + trees.predict(problem.matrix[other])

    return fit


def estimator(make: Callable[[Shape, float], Any], *, fill: bool = False) -> Fit:
    """Return the trees of a library with scikit-learn's interface; bounds count as values."""

    def fit(
        problem: PointProblem, rows: Indices, start: Floats, shape: Shape
    ) -> Callable[[Indices], Floats]:
        columns = problem.spec.boosters[0].columns(problem.column_groups)
        matrix = problem.matrix[:, columns]
        matrix = np.nan_to_num(matrix, nan=-1.0) if fill else matrix
        model = make(shape, problem.spec.loss_scale)
        left = problem.target[rows] - start[rows]
        model.fit(matrix[rows], left, sample_weight=problem.weights(rows))
        return lambda other: start[other] + model.predict(matrix[other])

    return fit


def lightgbm(shape: Shape, loss_scale: float) -> Any:
    """Return LightGBM's trees with Huber's loss."""
    rounds, depth, rate = shape
    return LGBMRegressor(
        objective="huber", alpha=loss_scale, n_estimators=rounds, max_depth=depth,
        num_leaves=2**depth, learning_rate=rate, min_child_samples=3, min_data_in_bin=1,
        colsample_bytree=0.5, subsample=0.8, subsample_freq=1, reg_lambda=2.0, random_state=0,
        n_jobs=1, verbose=-1,
    )  # fmt: skip


def gradient_boosting(shape: Shape, _: float) -> Any:
    """Return scikit-learn's exact trees with Huber's loss."""
    rounds, depth, rate = shape
    return GradientBoostingRegressor(
        loss="huber", n_estimators=rounds, max_depth=depth, learning_rate=rate,
        max_features=0.5, subsample=0.8, min_samples_leaf=3, random_state=0,
    )  # fmt: skip


def hist_boosting(loss: str) -> Callable[[Shape, float], Any]:
    """Return scikit-learn's histogram trees with a loss."""

    def make(shape: Shape, _: float) -> Any:
        rounds, depth, rate = shape
        return HistGradientBoostingRegressor(
            loss=loss, max_iter=rounds, max_depth=depth, learning_rate=rate, min_samples_leaf=3,
            l2_regularization=2.0, max_features=0.5, max_bins=63, early_stopping=False,
            random_state=0,
        )  # fmt: skip

    return make


def extra_trees(shape: Shape, _: float) -> Any:
    """Return randomized trees, which are averaged instead of boosted."""
    return ExtraTreesRegressor(
        n_estimators=300, max_depth=2 * shape[1], min_samples_leaf=3, random_state=0, n_jobs=1
    )


CONTENDERS: Final[dict[str, Fit]] = {
    OURS: xgboost(),
    "XGBoost, squared error with bounds": xgboost(squared=True),
    "LightGBM, Huber": estimator(lightgbm),
    "scikit-learn GradientBoosting, Huber": estimator(gradient_boosting, fill=True),
    "scikit-learn HistGradientBoosting, absolute": estimator(hist_boosting("absolute_error")),
    "scikit-learn HistGradientBoosting, squared": estimator(hist_boosting("squared_error")),
    "scikit-learn ExtraTrees (not boosted)": estimator(extra_trees, fill=True),
}


# The split -----------------------------------------------------------------------------------


def one_fold(
    problem: PointProblem, contender: str, split: tuple[Indices, Indices]
) -> tuple[Indices, Floats, Floats]:
    """Return test rows and predictions: mean of the settings, and the inner folds' choice."""
    train, test = split
    fit = CONTENDERS[contender]
    shapes = [(one.rounds, one.depth, one.learning_rate) for one in problem.spec.boosters]
    start = fit_prior(problem, train).predict(problem.matrix)
    guesses = [fit(problem, train, start, shape)(test) for shape in shapes]
    inner = folds_of(problem.papers[train].tolist(), INNER_FOLDS, fold_seed="inner:")
    cost = np.zeros(len(shapes))
    for fold in np.unique(inner):
        kept, left = train[inner != fold], train[inner == fold]
        inner_start = fit_prior(problem, kept).predict(problem.matrix)
        for place, shape in enumerate(shapes):
            guess = fit(problem, kept, inner_start, shape)(left)
            cost[place] += (problem.errors(guess, left) * problem.weights(left)).sum()
    return test, np.mean(guesses, axis=0), guesses[int(cost.argmin())]


def run(problem: PointProblem) -> dict[str, dict[str, Floats]]:
    """Return out-of-fold errors by contender and way of use."""
    splits = paper_splits(problem, FOLDS)
    tasks = [(contender, split) for contender in CONTENDERS for split in splits]
    done = Parallel(n_jobs=JOBS)(
        delayed(one_fold)(problem, contender, split) for contender, split in tasks
    )
    found = {
        contender: {way: np.empty(len(problem.target)) for way in ("mean", "chosen")}
        for contender in CONTENDERS
    }
    for (contender, _), (test, mean, chosen) in zip(tasks, done, strict=True):
        found[contender]["mean"][test] = problem.errors(mean, test)
        found[contender]["chosen"][test] = problem.errors(chosen, test)
    prior = np.empty(len(problem.target))
    for train, test in splits:
        guess = fit_prior(problem, train).predict(problem.matrix[test])
        prior[test] = problem.errors(guess, test)
    return {**found, "the prior alone": {"mean": prior, "chosen": prior}}


def table(problem: PointProblem) -> list[dict[str, Any]]:
    """Return mean and median absolute errors, and differences from the default, with intervals."""
    found = run(problem)
    rows = []
    for subset in SUBSETS[problem.spec.target.name]:
        mask = problem.subsets[subset]
        bootstrap = PaperBootstrap.of(problem.papers[mask])
        ours = found[OURS]["mean"][mask]
        for contender, ways in found.items():
            mean = ways["mean"][mask]
            rows.append(
                {
                    "target": problem.spec.target.name,
                    "subset": subset,
                    "booster": contender,
                    "mean_error": float(mean.mean()),
                    "median_error": float(np.median(mean)),
                    "worse_than_ours": list(bootstrap.mean(mean - ours)),
                    "mean_error_chosen": float(ways["chosen"][mask].mean()),
                }
            )
    return rows


def lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table in Markdown."""
    head = (
        "| target, rows | trees on the prior | MAE | median absolute error | MAE above the default "
    )
    head += "| MAE, setting from inner folds |"
    made = [head, "|---|---|---|---|---|---|"]
    for row in rows:
        middle, low, high = row["worse_than_ours"]
        made.append(
            f"| {row['target']}, {row['subset']} | {row['booster']} | {row['mean_error']:.2f} | "
            f"{row['median_error']:.2f} | {middle:+.2f} [{low:+.2f}, {high:+.2f}] | "
            f"{row['mean_error_chosen']:.2f} |"
        )
    return made


def main() -> None:
    """Print the table, and its rows as JSON."""
    problems = problems_of(Dataset.bundled()).points
    rows = [row for name in SUBSETS for row in table(problems[name])]
    print("\n".join(lines(rows)))
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
