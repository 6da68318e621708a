#!/usr/bin/python3
"""Times the simulated backend sgx beside nil: bench_sgx.py BUILD

What is measured is told by bench/backend.py; the attested start is a part of `./run bench net`.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import backend  # noqa: E402 (its folder is no package)
import parts  # noqa: E402

CALL_US_MAX = 30
START_MS_MAX = 250  # which is for an attested one
IDLE_MB_MAX = None


def main():
    options = parts.read_options(__doc__, backend.PARTS)
    report = parts.Report(options.json)
    try:
        with backend.simulated_platforms(options.build) as words:
            return backend.measure(options, report, backend.Backend("sgx", "simulated", CALL_US_MAX, START_MS_MAX,
                                                                    IDLE_MB_MAX, words))
    except (backend.Failure, OSError) as failure:
        report.wrong("bench_sgx", failure)
    return parts.finish(options, report)


if __name__ == "__main__":
    sys.exit(main())
