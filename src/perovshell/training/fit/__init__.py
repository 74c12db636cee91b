"""What the models are fitted to, and how: rows and targets, learners, where data speaks."""
