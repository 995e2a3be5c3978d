"""Write the breast-cancer Wisconsin data as a CSV file: `python docs/examples/cancer.py [FILE]`.

They come with scikit-learn: 569 patients, 30 measurements of the cell nuclei in a needle biopsy, and what it was.
"""

import csv
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer


def write(path: Path) -> None:
    """Write a row for each patient, the measurements by name and then `diagnosis`: benign or malignant."""
    data = load_breast_cancer()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([*data.feature_names, "diagnosis"])
        for measurements, diagnosis in zip(data.data.tolist(), data.target.tolist(), strict=True):
            rows.writerow([*measurements, data.target_names[diagnosis]])


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/cancer.csv"))
