"""The whole validation in one report: every split, rivals, noise floor, simulated coverage."""
