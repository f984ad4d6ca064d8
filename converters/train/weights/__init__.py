"""Weight matrices of both frameworks, and what must stay true of them: zeros, and values that are shared."""
