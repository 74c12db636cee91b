"""What a model says of papers it was not trained on, and the figures made of that."""
