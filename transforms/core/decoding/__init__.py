"""Payloads -> events -> Arrow columns, still unprotected; what no schema names is never read."""
