"""What AWS charges for, counted and priced: before a run, after it, and over a month."""
