"""What frozen policies learn online: tables, numbers, bandits."""
