"""The aws backend: boto3 stays in here."""
