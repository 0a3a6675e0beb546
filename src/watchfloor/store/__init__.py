"""Everything that touches PostgreSQL: named queries by area, migrations, partitions, pulse, the embedded server."""
