"""Pages, data and exports below a tenant's address. The tenant comes from the request, never from a parameter."""
