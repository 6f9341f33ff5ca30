"""Fakes of AWS services, as boto3 sees them: what they are asked and what they answer is checked by botocore's models."""
