#!/usr/bin/python3
"""run.py <case>: runs one case of cases/; exit 77 when it has to be skipped.

The program under test is $ROADSTEAD, or build/release/roadstead.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

if __name__ == "__main__":
    sys.exit(harness.run_case(__doc__, os.path.join(harness.HERE, "cases"), "cases."))
