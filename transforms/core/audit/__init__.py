"""The trail of readings: who read code, quarantine or a person's rows by the tools of this project, and what for."""
