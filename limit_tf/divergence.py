"""What ends a training whose loss is no number any more."""


class DivergedError(ArithmeticError):
    """A training loss became infinite or NaN."""
