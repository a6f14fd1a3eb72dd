#!/usr/bin/python3
"""run.py <case>: runs one case of cases/; exit 77 when it has to be skipped.

The program under test is $ROADSTEAD, or build/release/roadstead.
"""
import importlib
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import harness  # noqa: E402 - what both kinds of cases share; it finds support/ as well

sys.path.insert(0, HERE)


def main():
    if len(sys.argv) != 2:
        names = sorted(name[:-3] for name in os.listdir(os.path.join(HERE, "cases")) if name.endswith(".py"))
        sys.exit(__doc__ + "\nCases: " + " ".join(names))
    begin = time.monotonic()
    # An example says itself where its data is.
    for name in ("ROADSTEAD_TEST_DATABASE", "ROADSTEAD_TEST_STORAGE"):
        os.environ.pop(name, None)
    # By its path: cases/ of the other folder is called alike.
    sys.path.insert(0, os.path.join(HERE, "cases"))
    module = importlib.import_module(sys.argv[1])
    try:
        module.main()
    except harness.Skip as reason:
        print(f"\n**** SKIPPED: {reason} ****\n", file=sys.stderr)
        return 77
    except Exception:  # noqa: BLE001 - a case may fail in any way; all of them are failures
        traceback.print_exc()
        return 1
    print(f"passed in {time.monotonic() - begin:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
