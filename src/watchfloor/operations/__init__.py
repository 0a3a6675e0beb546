"""What a person (or a rule) can do: one function = permission check, one transaction, audit, outbox, pulse."""
