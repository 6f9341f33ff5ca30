"""The continuous path: new flushes of changes become silver, gold and a publication, cycle by cycle."""
