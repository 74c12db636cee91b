"""The targets: what each is, once. Readers, trainers, predictors and reports follow from it."""
