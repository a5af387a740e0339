"""From signals and verdicts to decisions."""
