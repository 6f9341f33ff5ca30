"""Rules about the repository itself: imports, documents, containers, dependencies. No server is asked."""
