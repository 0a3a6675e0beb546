"""``config.yaml``: read, validated, with a file, line, column and remedy for each mistake."""
