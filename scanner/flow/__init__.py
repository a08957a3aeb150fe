"""What a unit does, in no language: events in order, dominance, regions, exits, failures and results. Reads Bodies, knows no library."""
