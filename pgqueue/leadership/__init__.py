"""Leadership: of all processes that could do a chore, the one that has its lease does it."""
