"""Charts: pure functions from answers to Plotly figures, each with its table and its sentence."""
