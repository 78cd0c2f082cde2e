"""Measurements of this project beside its peers, both sides in one run."""
