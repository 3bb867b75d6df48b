"""A job while it runs and as it ends: interrupts, progress, the verdict."""
