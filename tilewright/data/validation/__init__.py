"""Published figures that `tilewright validate` compares with."""
