"""Raw rows as files in the format of AWS DMS: names, manifests, verified reading."""
