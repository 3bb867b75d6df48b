"""What a bucket remembers of what it published, from window to window."""
