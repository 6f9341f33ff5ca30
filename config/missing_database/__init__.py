"""The database backend of an alias whose URL is unset."""
