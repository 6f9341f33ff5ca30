"""What tenants look at: pages, each a question, and the charts that answer it. `registry` gathers them."""
