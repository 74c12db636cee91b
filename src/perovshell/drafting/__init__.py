"""Drafts of paper files from the text of an abstract or a paper, by rules."""
