"""Descriptors of a combination."""
