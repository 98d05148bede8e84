"""New values, as declarations ask for them: one module a kind of consumer."""
