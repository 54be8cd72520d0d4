"""Tables in plain text, so that a benchmark's output can be pasted into the README."""

from collections.abc import Sequence


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, its columns aligned."""
    widths = [max(len(line[place]) for line in [columns, *rows]) for place in range(len(columns))]
    for number, line in enumerate([columns, *rows]):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
