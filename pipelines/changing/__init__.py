"""Changes of landed files: a plan, a dry run that prints it, and the change, which is finished if it was cut off."""
