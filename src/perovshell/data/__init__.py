"""The literature and its rules: tables, formulas, validation, targets."""
