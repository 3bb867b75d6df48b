"""Addresses -> places where enough people live; then the address is gone."""
