"""What the solvers of R(D) and R(D, P) share: channels, gradients, padded sizes and compiled programs."""

__all__: list[str] = []
