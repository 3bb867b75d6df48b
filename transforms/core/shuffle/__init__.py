"""What crosses the shuffle, sealed, and what is grouped there: portions of inputs and windows."""
