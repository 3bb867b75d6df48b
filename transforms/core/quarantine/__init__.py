"""What cannot be processed: put aside, sealed where consent allows, and counted."""
