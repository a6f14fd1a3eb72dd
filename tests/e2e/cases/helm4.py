"""Helm 4."""
from cases.helm import exercise


def main():
    exercise("helm4")
