"""Shipped hierarchies, one YAML file each, with the source of their figures."""
