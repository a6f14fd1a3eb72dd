#!/usr/bin/python3
"""run.py <case>: runs one case of cases/; exit 77 when it has to be skipped.

The program under test is $ROADSTEAD, or build/release/roadstead.
"""
import importlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402


def main():
    if len(sys.argv) != 2:
        names = sorted(name[:-3] for name in os.listdir(os.path.join(harness.HERE, "cases")) if name.endswith(".py"))
        sys.exit(__doc__ + "\nCases: " + " ".join(names))
    module = importlib.import_module("cases." + sys.argv[1])
    begin = time.monotonic()
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
