"""The design space of a ranking: cores, shells, contexts, wishes and constraints."""
