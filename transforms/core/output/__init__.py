"""The output: where files lie, who may write them, and whether the books balance."""
