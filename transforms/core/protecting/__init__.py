"""Unprotected columns -> what may be kept: consent, places, known words, scrubbing, pseudonyms."""
