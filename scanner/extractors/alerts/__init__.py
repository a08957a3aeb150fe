"""Extractors of alert rules and alarms: what is watched and who is told."""
