"""Generates the pages that come from the code."""
