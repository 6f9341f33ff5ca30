"""The source schema's history, applied by the owner role."""
