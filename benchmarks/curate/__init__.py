"""Measurements of curation on real data, which lies beside the project."""
