"""Sweeps: a specification becomes points, an executor runs them, a store remembers them."""
