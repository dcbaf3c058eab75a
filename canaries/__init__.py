"""Canaries: ordinary-looking tasks whose result somebody can check."""
