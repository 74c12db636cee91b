"""The design space of a ranking: cores, shells, contexts, objectives and constraints."""
