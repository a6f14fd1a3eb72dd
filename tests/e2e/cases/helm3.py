"""Helm 3."""
from cases.helm import exercise


def main():
    exercise("helm3")
