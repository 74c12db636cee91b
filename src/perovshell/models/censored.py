"""Linear models of logarithms that are known as intervals: likelihood and slopes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.errors import FitError
from perovshell.optional import import_optional

_TINY = 1e-300
_SIGMA_PRIOR = 0.5
"""Strength with which sigma is held near 1 (in log units), so that wide intervals cannot let it
vanish."""
_MAX_STEPS: Final = 500
_AT_THE_LIMIT: Final = 1
"""What scipy says of a fit that used up its steps or evaluations."""


@dataclass(frozen=True)
class IntervalFit:
    """A fitted linear model of a logarithm: coefficients and the residual standard deviation."""

    coefficients: Floats
    sigma: float


def interval_log_likelihood(mean: Floats, sigma: float, low: Floats, high: Floats) -> Floats:
    """Return the log probability that a log-normal value falls into each interval.

    Args:
        mean: Mean of the logarithm, shape (n,).
        sigma: Standard deviation of the logarithm.
        low: Lower ends, 0 allowed, shape (n,).
        high: Upper ends, inf allowed, shape (n,).
    """
    return np.asarray(np.log(_probability(*_standard(mean, sigma, low, high))))


def _standard(mean: Floats, sigma: float, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        return (np.log(low) - mean) / sigma, (np.log(high) - mean) / sigma


def _probability(lower: Floats, upper: Floats) -> Floats:
    ndtr = import_optional("scipy.special", "training", "train").ndtr
    # Differences of upper tails keep their digits where both ends lie far right.
    flip = lower > 0
    first, last = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    return np.asarray(np.maximum(ndtr(last) - ndtr(first), _TINY))


def fit_intervals(
    design: Floats, low: Floats, high: Floats, weights: Floats, penalty: Floats
) -> IntervalFit:
    """Fit a linear model to the logarithms of intervals by penalised maximum likelihood.

    Args:
        design: Design matrix, shape (n, p).
        low: Lower ends, 0 where there is none, shape (n,).
        high: Upper ends, inf where there is none, shape (n,).
        weights: Row weights, shape (n,).
        penalty: Inverse prior variance of each coefficient, 0 for none, shape (p,).

    Raises:
        FitError: The fit did not converge.
        MissingExtraError: scipy is not installed.
    """
    optimize = import_optional("scipy.optimize", "training", "train")

    def cost(theta: Floats) -> tuple[float, Floats]:
        beta, log_sigma = theta[:-1], float(theta[-1])
        sigma = math.exp(log_sigma)
        lower, upper = _standard(design @ beta, sigma, low, high)
        mass = _probability(lower, upper)
        at_low, at_high = _density(lower), _density(upper)
        slope = weights * (at_low - at_high) / (sigma * mass)
        spread = weights * (_times(lower, at_low) - _times(upper, at_high)) / mass
        value = -(weights * np.log(mass)).sum() + 0.5 * (penalty * beta**2).sum()
        value += _SIGMA_PRIOR * log_sigma**2
        gradient = np.append(
            -design.T @ slope + penalty * beta, -spread.sum() + 2 * _SIGMA_PRIOR * log_sigma
        )
        return float(value), gradient

    start = np.zeros(design.shape[1] + 1)
    limits = {"maxiter": _MAX_STEPS}
    fitted = optimize.minimize(cost, start, jac=True, method="L-BFGS-B", options=limits)
    if fitted.status == _AT_THE_LIMIT:
        msg = f"interval model: the fit did not converge within {_MAX_STEPS} iterations"
        raise FitError(msg)
    return IntervalFit(np.asarray(fitted.x[:-1]), math.exp(float(fitted.x[-1])))


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi))


def _times(z: Floats, density: Floats) -> Floats:
    return np.where(np.isfinite(z), z, 0.0) * density
