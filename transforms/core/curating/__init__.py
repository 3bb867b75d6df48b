"""A bucket's pieces -> the rows that land, the suggestions that are over, and the files of both."""
