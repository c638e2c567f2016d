"""Search of loop nests under the figures that ZigZag itself reports, with a bound over all its mappings."""
