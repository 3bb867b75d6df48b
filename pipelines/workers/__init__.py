"""The batch job on one machine: how many processes share the work, what they do, where pieces wait between them."""
