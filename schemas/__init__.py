"""The contract: what clients send, what lands, and how each field is treated."""
