"""Quality: proof that silver holds what the source holds."""
