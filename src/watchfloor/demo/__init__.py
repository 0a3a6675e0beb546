"""A seeded world on real local servers, with faults that happen while you watch."""
