"""What tables promise: columns in physical order, types, keys, versions."""
