"""Figures of several rounds, and how they are printed."""
import statistics


class Figures:
    """The values of one thing, one a round."""

    def __init__(self, values=()):
        self.values = list(values)

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values)

    def over(self, other):
        """Ratios, each of two values of the same round."""
        return Figures(mine / theirs for mine, theirs in zip(self.values, other.values))

    def text(self, digits=1, scale=1.0):
        """Median (minimum to maximum)."""
        low, high = min(self.values) * scale, max(self.values) * scale
        middle = "%.*f" % (digits, self.median * scale)
        return middle if len(self.values) == 1 else "%s (%.*f–%.*f)" % (middle, digits, low, digits, high)


def table(head, rows):
    lines = ["| %s |" % " | ".join(head), "| %s |" % " | ".join(["---"] + ["---:"] * (len(head) - 1))]
    return "\n".join(lines + ["| %s |" % " | ".join(str(cell) for cell in row) for row in rows])


def mebibytes(figures, digits=0):
    return figures.text(digits, 1 / 2**20)
