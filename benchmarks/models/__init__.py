"""Fitted models beside scikit-learn's LogisticRegression: loss, accuracy, coverage and time."""
