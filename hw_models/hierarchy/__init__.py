"""Memory hierarchies of any shape: levels, ports, array axes; what the general layer mapper maps onto."""
