"""Facts of suggestions -> their lives -> rows of the dataset `suggestions`."""
