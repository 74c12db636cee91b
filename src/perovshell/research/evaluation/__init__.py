"""The whole validation in one report: split schemes, baselines, noise floor, simulations."""
