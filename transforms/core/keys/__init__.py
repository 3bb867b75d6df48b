"""Keys: the ring of months, pseudonyms, sealing, and encryption of code for roles."""
