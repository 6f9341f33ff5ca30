"""Fakes of AWS services, as boto3 sees them: botocore's models check what they are asked and what they answer."""
