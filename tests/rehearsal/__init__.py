"""A whole run on one machine with AWS's adapters: `make rehearse-aws`. Not part of `make test`."""
