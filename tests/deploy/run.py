#!/usr/bin/python3
"""run.py <case>: runs one case of cases/; exit 77 when it has to be skipped.

The program under test is $ROADSTEAD, or build/release/roadstead.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import harness  # noqa: E402 - what both kinds of cases share; it finds support/ as well

CASES = os.path.join(HERE, "cases")
# By its path: cases/ of the other folder is called alike.
sys.path[:0] = [CASES, HERE]

if __name__ == "__main__":
    # An example says itself where its data is.
    for name in ("ROADSTEAD_TEST_DATABASE", "ROADSTEAD_TEST_STORAGE"):
        os.environ.pop(name, None)
    sys.exit(harness.run_case(__doc__, CASES))
