"""The robust prior and the difficulty: known answers, noise, bounds, storage."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.vocabulary import QUALITIES
from perovshell.errors import FitError
from perovshell.models.difficulty import SHARE_TERMS, Difficulty
from perovshell.models.difficulty import TERMS as DIFFICULTY_TERMS
from perovshell.models.prior import PL_PRIOR, PLQY_PRIOR, LinearPrior, PriorForm, Term

NAMES = ("base", "x", "z")
FORM = PriorForm("base", Term("offset", 0.0, 10.0), (Term("x", 0.0, 10.0), Term("z", 0.0, 10.0)), 1)


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3))


def fit(matrix: np.ndarray, target: np.ndarray, bounds: list[str] | None = None) -> LinearPrior:
    count = len(target)
    return LinearPrior.fit(FORM, matrix, NAMES, target, bounds or [""] * count, np.ones(count))


def test_the_effects_behind_the_data_are_found() -> None:
    matrix = rows(400)
    noise = 0.05 * np.random.default_rng(1).normal(size=400)
    prior = fit(matrix, matrix[:, 0] + 0.5 + 2 * matrix[:, 1] - matrix[:, 2] + noise)
    assert prior.effects == pytest.approx([0.5, 2.0, -1.0], abs=0.02)
    assert prior.predict(matrix[:3]) == pytest.approx(
        matrix[:3, 0] + 0.5 + 2 * matrix[:3, 1] - matrix[:3, 2], abs=0.05
    )


def test_a_few_wild_samples_pull_little() -> None:
    matrix = rows(200)
    target = matrix[:, 0] + matrix[:, 1]
    target[:10] += 50.0
    assert fit(matrix, target).effects == pytest.approx([0.0, 1.0, 0.0], abs=0.1)


def test_without_data_the_expectation_stands() -> None:
    form = PriorForm("", Term("offset", 3.0, 0.001), (Term("x", 5.0, 0.001),), 1.0)
    matrix = rows(4)
    prior = LinearPrior.fit(form, matrix, NAMES, np.zeros(4), [""] * 4, np.full(4, 0.25))
    assert prior.predict(matrix) == pytest.approx(3 + 5 * matrix[:, 1], abs=0.01)


def test_a_bound_that_is_kept_costs_nothing_and_one_that_is_broken_pulls() -> None:
    matrix = np.zeros((40, 3))
    target = np.r_[np.full(20, 1.0), np.full(20, 0.0)]
    kept = fit(matrix, target, [""] * 20 + [">"] * 20)
    broken = fit(matrix, target, [""] * 20 + ["<"] * 20)
    assert kept.effects[0] == pytest.approx(1.0, abs=0.02)
    assert broken.effects[0] < 0.9


def test_an_unknown_base_is_the_mean_and_an_unknown_term_adds_nothing() -> None:
    matrix = rows(100)
    prior = fit(matrix, matrix[:, 0] + matrix[:, 1])
    unknown = np.array([[np.nan, np.nan, 0.0]])
    assert prior.predict(unknown)[0] == pytest.approx(matrix[:, 0].mean() + prior.effects[0])


def test_the_spread_grows_away_from_the_data() -> None:
    matrix = rows(50)
    prior = fit(matrix, matrix[:, 0] + np.random.default_rng(2).normal(size=50))
    near, far = prior.spread(np.array([[0.0, 0, 0], [0.0, 30, 0]]))
    assert prior.noise < near < 1.1 * prior.noise
    assert far > 3 * near


def test_errors_of_descriptors_widen_the_spread_and_move_nothing() -> None:
    matrix = rows(50)
    form = replace(FORM, errors=(("z", 2.0),), terms=FORM.terms[:1])
    data = (matrix, NAMES, matrix[:, 0] + matrix[:, 1], [""] * 50, np.ones(50))
    prior = LinearPrior.fit(form, *data)
    known = LinearPrior.fit(replace(form, errors=()), *data)
    np.testing.assert_array_equal(prior.predict(matrix), known.predict(matrix))
    expected = np.hypot(known.spread(matrix), 2.0 * matrix[:, 2])
    np.testing.assert_allclose(prior.spread(matrix), expected)
    unknown = np.array([[1.0, 2.0, np.nan]])
    assert prior.spread(unknown) == known.spread(unknown)


def test_contributions_add_up_to_the_prediction() -> None:
    matrix = rows(60)
    prior = fit(matrix, matrix[:, 0] + 3 * matrix[:, 1])
    mean, moved = prior.contributions(matrix)
    assert mean + moved.sum(axis=1) == pytest.approx(prior.predict(matrix))
    assert moved[:, 1:].mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_stored_parts_give_the_same_prior() -> None:
    matrix = rows(60)
    prior = fit(matrix, matrix[:, 0] + 3 * matrix[:, 1])
    again = LinearPrior.from_parts(*prior.to_parts())
    assert again.predict(matrix).tolist() == prior.predict(matrix).tolist()
    assert again.spread(matrix).tolist() == prior.spread(matrix).tolist()


def test_confinement_of_the_pl_prior_is_that_of_effective_masses() -> None:
    """3 pi2 hbar2 / (2 mu) with mu = 0.126 electron masses is 9 eV nm2: an upper end."""
    hbar2_over_2m = 0.0380998  # eV nm2
    limit = 3 * np.pi**2 * hbar2_over_2m / 0.126
    assert limit == pytest.approx(9.0, abs=0.1)
    term = next(term for term in PL_PRIOR.terms if term.name == "confinement")
    assert 0 < term.mean - term.sd < limit < term.mean + 2 * term.sd


def test_difficulty_follows_the_size_of_residuals_and_never_vanishes() -> None:
    random = np.random.default_rng(3)
    names = ("base", "x", "z", *DIFFICULTY_TERMS)
    matrix = np.hstack([rows(600), (random.random((600, len(DIFFICULTY_TERMS))) < 0.3) * 1.0])
    hard = matrix[:, 3] == 1
    target = matrix[:, 0] + random.normal(size=600) * np.where(hard, 0.3, 0.1)
    prior = LinearPrior.fit(FORM, matrix, names, target, [""] * 600, np.ones(600))
    difficulty = Difficulty.fit(prior, matrix, names, target, np.ones(600), is_share=False)
    expected = prior.predict(matrix)
    scale = difficulty.of(prior, matrix, expected)
    assert scale[hard].mean() / scale[~hard].mean() == pytest.approx(2.3, abs=0.5)
    assert scale.min() > 0.3 * 0.1
    again = Difficulty.from_arrays(difficulty.arrays())
    assert again.of(prior, matrix, expected).tolist() == scale.tolist()


def test_a_share_has_less_room_near_its_ends() -> None:
    random = np.random.default_rng(5)
    names = ("base", "x", "z", *DIFFICULTY_TERMS, *SHARE_TERMS)
    matrix = np.hstack([rows(2000), np.zeros((2000, len(names) - 3))])
    matrix[:, 0] = share = random.uniform(6, 94, size=2000)
    matrix[:, 1:3] = 0
    target = share + random.normal(size=2000) * np.sqrt(share * (100 - share)) / 10
    prior = LinearPrior.fit(FORM, matrix, names, target, [""] * 2000, np.ones(2000))
    difficulty = Difficulty.fit(prior, matrix, names, target, np.ones(2000), is_share=True)
    near, middle = difficulty.of(prior, matrix[:2], np.array([95.0, 50.0]))
    # sqrt(95 * 5) / sqrt(50 * 50) = 0.44, held towards 1 by the added floor.
    assert 0.4 < near / middle < 0.75
    assert difficulty.of(prior, matrix[:1], np.array([100.0])) == pytest.approx(near, rel=0.2)


def test_difficulty_of_a_share_knows_films() -> None:
    random = np.random.default_rng(6)
    names = ("base", "x", "z", *DIFFICULTY_TERMS, *SHARE_TERMS)
    matrix = np.zeros((800, len(names)))
    matrix[:, 0] = 50.0
    film = matrix[:, names.index("medium is film")] = (random.random(800) < 0.3) * 1.0
    target = 50.0 + random.normal(size=800) * np.where(film == 1, 20.0, 8.0)
    prior = LinearPrior.fit(FORM, matrix, names, target, [""] * 800, np.ones(800))
    for is_share, at_least in ((True, 1.8), (False, 1.0)):
        difficulty = Difficulty.fit(prior, matrix, names, target, np.ones(800), is_share=is_share)
        scale = difficulty.of(prior, matrix, prior.predict(matrix))
        assert scale[film == 1].mean() / scale[film == 0].mean() >= at_least * (1 - 1e-9)
    assert scale.max() == pytest.approx(scale.min())


def test_an_effect_of_quality_is_fitted_and_left_out_of_predictions() -> None:
    form = PriorForm("base", FORM.offset, FORM.terms, 1.0, (Term("best value", 0.0, 10.0),))
    matrix = rows(400)
    is_best = (np.random.default_rng(7).random((400, 1)) < 0.4) * 1.0
    printed = matrix[:, 0] + 2.0 * matrix[:, 1]
    target = printed + 5.0 * is_best[:, 0] + 0.05 * np.random.default_rng(8).normal(size=400)
    no_bounds, weights = [""] * 400, np.ones(400)
    prior = LinearPrior.fit(form, matrix, NAMES, target, no_bounds, weights, is_best)
    assert prior.quality_effects == pytest.approx([5.0], abs=0.05)
    assert prior.predict(matrix) == pytest.approx(printed, abs=0.05)
    again = LinearPrior.from_parts(*prior.to_parts())
    assert again.quality_effects.tolist() == prior.quality_effects.tolist()


def test_qualities_of_the_plqy_prior_are_words_of_the_data_and_bias_upwards() -> None:
    assert {term.name for term in PLQY_PRIOR.qualities} < set(QUALITIES)
    assert all(term.mean > 0 for term in PLQY_PRIOR.qualities)


def test_a_fit_at_the_least_noise_comes_to_rest() -> None:
    """Targets without noise: the noise is at its floor, which is no reason to go on."""
    form = PriorForm("base", FORM.offset, FORM.terms, noise=1.0)
    matrix = rows(60)
    target = matrix[:, 0] + matrix[:, 1]
    prior = LinearPrior.fit(form, matrix, NAMES, target, [""] * 60, np.ones(60))
    assert prior.noise == pytest.approx(0.1)
    assert prior.effects == pytest.approx([0.0, 1.0, 0.0], abs=1e-3)


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = rows(60)
    monkeypatch.setattr("perovshell.models.prior._MAX_STEPS", 2)
    monkeypatch.setattr("perovshell.models.prior._CONVERGENCE_TOL", 1e-6)
    with pytest.raises(FitError, match="did not converge within 2 iterations"):
        fit(matrix, matrix[:, 0] + np.random.default_rng(2).normal(size=60))
