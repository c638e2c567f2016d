"""The search over ceil tiles: tiles need not divide, the last one of a loop is smaller."""
