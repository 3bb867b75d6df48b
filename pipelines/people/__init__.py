"""People by their raw ids: read from a file, turned into pseudonyms, and found in the files of an output."""
