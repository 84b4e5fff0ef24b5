"""The simulated account for tests: faults, a record of what was asked, fixed and sized accounts."""
