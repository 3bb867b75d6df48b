"""Payloads that cannot be processed: put aside, sealed where consent allows it, and counted."""
