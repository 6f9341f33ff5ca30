"""The source application: shops, their customers and what they sell; knows nothing of the lakehouse."""
