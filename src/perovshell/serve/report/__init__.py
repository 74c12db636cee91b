"""A ranking on disk: one HTML report and its tables."""
