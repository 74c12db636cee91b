"""How papers get in: what is checked and shown before anything is written, and an inbox."""
