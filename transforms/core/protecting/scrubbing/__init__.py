"""Detectors of secrets and personal data in text, each in time that grows with the text's length."""
