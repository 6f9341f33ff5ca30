"""The two backends behind the ports. Only `lakehouse_admin.wiring` imports them."""
