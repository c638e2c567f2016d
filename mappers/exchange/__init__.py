"""Mappings in the forms of other tools, both ways, and ZigZag's counting to the last access."""
