"""What a tenant's people see: reads published gold through the query engine and nothing else."""
