"""Silver: typed, checked, one current row per key, in Iceberg tables ``silver.<table>``."""
