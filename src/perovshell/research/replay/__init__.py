"""The past once more: what retraining would have paid, year by year."""
