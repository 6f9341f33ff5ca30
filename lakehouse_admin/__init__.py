"""The control plane: what runs, how it is going, and what readers see. Start reading at `lakehouse_admin.flow`."""
