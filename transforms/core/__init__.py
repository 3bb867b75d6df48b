"""Functions and values on Arrow columns; no Beam in here."""
