"""Studies of the statistics and figures for the documentation; no prediction needs them."""
