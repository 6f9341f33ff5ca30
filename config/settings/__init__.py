"""Django's settings: one module per environment over topics they share."""
