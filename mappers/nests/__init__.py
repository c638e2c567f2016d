"""The general layer mapper: optimal loop nests of one layer on any memory hierarchy, with a certificate."""
