#!/usr/bin/python3
"""Times the backend kvm beside nil: bench_kvm.py BUILD

What is measured is told by bench/backend.py. Limits of calls and start are others where KVM is itself software.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import backend  # noqa: E402 (its folder is no package)
import parts  # noqa: E402

CALL_US_MAX = {"hardware": 3, "software": 60}
START_MS_MAX = {"hardware": 50, "software": 1000}
IDLE_MB_MAX = 40


def main():
    options = parts.read_options(__doc__, backend.PARTS)
    report = parts.Report(options.json)
    if backend.kvm_device() is None:
        report.absent("all", "no device of KVM can be used")
        return parts.finish(options, report)
    kind = backend.kind_of_kvm()
    return backend.measure(options, report, backend.Backend("kvm", f"{kind} KVM", CALL_US_MAX[kind],
                                                            START_MS_MAX[kind], IDLE_MB_MAX))


if __name__ == "__main__":
    sys.exit(main())
