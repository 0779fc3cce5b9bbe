"""Common parts of the solvers of R(D) and R(D, P): channels, gradients, padded sizes and compiled programs."""

__all__: list[str] = []
