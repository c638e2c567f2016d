"""Hypothesis profiles: CI draws the same cases every time, the nightly profile new ones."""

from hypothesis import HealthCheck, settings

from tests.reference.profile import NIGHTLY

settings.register_profile("quick", derandomize=True, deadline=None)
settings.register_profile("nightly", derandomize=False, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("nightly" if NIGHTLY else "quick")
