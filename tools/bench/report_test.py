#!/usr/bin/python3
"""Tests of the tables and comparisons of ./x bench, on small runs written by hand."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import micro      # noqa: E402
import report     # noqa: E402
import rows       # noqa: E402


def entry(number, value, **more):
    return {"round": number, "value": value, **more}


def row(name, results, reference=("nginx",), goal=1.0, unit="µs"):
    return {"name": name, "group": "g", "unit": unit, "metric": "m", "goal": goal, "reference": list(reference),
            "results": results}


def run_of(*measured, **more):
    machine = {"cpu": "x", "cores": 2}
    return {"machine": machine, "servers": ["roadstead", "nginx", "olareg"], "versions": {"nginx": "1.22"}, "rows": list(measured),
            **more}


def cells(text, name):
    """The cells of the line of a table that begins with `name`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


class Ratio(unittest.TestCase):
    def test_is_the_median_of_ratios_within_a_round(self):
        # The rounds differ tenfold, as on a busy machine; within each ours costs 1.0, 1.5 and 1.2 times the other.
        measured = row("r", {"roadstead": [entry(0, 10), entry(1, 150), entry(2, 12)],
                             "nginx": [entry(0, 10), entry(1, 100), entry(2, 10)]})
        self.assertEqual(report.ratio(measured), ("nginx", 1.2))

    def test_is_against_the_best_reference(self):
        measured = row("r", {"roadstead": [entry(0, 10)], "nginx": [entry(0, 20)], "olareg": [entry(0, 8)]}, ("nginx", "olareg"))
        self.assertEqual(report.ratio(measured), ("olareg", 1.25))

    def test_leaves_out_rounds_that_failed_on_one_side(self):
        measured = row("r", {"roadstead": [entry(0, 10), entry(1, 30)],
                             "nginx": [{"round": 0, "error": "gone"}, entry(1, 10)]})
        self.assertEqual(report.ratio(measured), ("nginx", 3.0))

    def test_is_none_without_a_reference(self):
        self.assertEqual(report.ratio(row("r", {"roadstead": [entry(0, 10)]})), (None, None))


class Table(unittest.TestCase):
    def test_judges_the_ratio_or_the_value(self):
        text = report.table(run_of(row("met", {"roadstead": [entry(0, 9)], "nginx": [entry(0, 10)]}),
                                   row("missed", {"roadstead": [entry(0, 11)], "nginx": [entry(0, 10)]}),
                                   row("value", {"roadstead": [entry(0, 40), entry(1, 30)]}, (), 35),
                                   row("unjudged", {"roadstead": [entry(0, 40)]}, (), None)))
        self.assertEqual(cells(text, "met")[-3:], ["0.9", "1.00", "ok"])
        self.assertEqual(cells(text, "missed")[-3:], ["1.10", "1.00", "MISS"])
        self.assertEqual(cells(text, "value")[-3:], ["", "35.0", "ok"])
        self.assertEqual(cells(text, "unjudged")[-3:], ["", "", ""])

    def test_is_not_decided_without_the_reference(self):
        self.assertEqual(cells(report.table(run_of(row("r", {"roadstead": [entry(0, 9)]}))), "r")[-3:], ["–", "1.00", ""])

    def test_failures_are_named(self):
        measured = run_of(row("r", {"roadstead": [{"round": 0, "error": "RowFailed: answered 500"}]}))
        self.assertEqual(report.failures(measured), [("r", "roadstead", "RowFailed: answered 500")])

    def test_wide_table_shows_throughput_latency_and_memory(self):
        ours = [entry(0, 1, per_second=200, p50_ms=2.0, p99_ms=8.0, rss_peak_kib=20480),
                entry(1, 1, per_second=400, p50_ms=1.0, p99_ms=4.0, rss_peak_kib=10240)]
        theirs = [entry(0, 1, per_second=100, p50_ms=4.0, p99_ms=8.0, rss_peak_kib=5120),
                  entry(1, 1, per_second=400, p50_ms=2.0, p99_ms=4.0, rss_peak_kib=5120)]
        text = report.wide_table(run_of(row("r", {"roadstead": ours, "nginx": theirs})))
        self.assertEqual(cells(text, "r"), ["r", "nginx", "400.0 /s", "1.50", "1.00", "0.5", "4.00", "1.00", "20.0", "5.00"])

    def test_wide_table_tells_bytes_where_the_row_is_about_bytes(self):
        ours = [entry(0, 1, per_second=7, mib_per_second=700)]
        text = report.wide_table(run_of(row("r", {"roadstead": ours}, unit="ms/MiB")))
        self.assertEqual(cells(text, "r")[2:4], ["700.0 MiB/s", ""])


class Compare(unittest.TestCase):
    def setUp(self):
        self.old = run_of(row("r", {"roadstead": [entry(0, 20), entry(1, 10)], "nginx": [entry(0, 10), entry(1, 10)]}),
                          row("gone", {"roadstead": [entry(0, 1)]}))

    def test_tells_changes_of_value_and_ratio(self):
        new = run_of(row("r", {"roadstead": [entry(0, 12)], "nginx": [entry(0, 10)]}))
        self.assertEqual(cells(report.compare(self.old, new), "r"), ["r", "µs", "10.0", "12.0", "+20 %", "1.50", "1.20"])

    def test_names_rows_that_only_one_run_has(self):
        text = report.compare(self.old, run_of(row("fresh", {"roadstead": [entry(0, 5)]})))
        self.assertEqual(cells(text, "fresh")[2:5], ["–", "5.00", "–"])
        self.assertIn("Only in the older run: r, gone", text)

    def test_rows_left_out_on_purpose_are_not_missing(self):
        new = run_of(row("r", {"roadstead": [entry(0, 5)]}), only="^r$")
        self.assertNotIn("Only in the older run", report.compare(self.old, new))

    def test_tells_a_row_that_has_no_figure_any_more(self):
        new = run_of(row("r", {"roadstead": [{"round": 0, "error": "gone"}]}))
        self.assertEqual(cells(report.compare(self.old, new), "r")[2:5], ["10.0", "–", "–"])

    def test_rows_of_other_servers_do_not_count(self):
        new = run_of(row("r", {"nginx": [entry(0, 5)]}))
        self.assertIn("No row of ours", report.compare(self.old, new))

    def test_says_when_two_runs_are_not_alike(self):
        new = run_of(quick=True)
        new["machine"] = {"cpu": "y", "cores": 2}
        new["versions"] = {"nginx": "1.26", "roadstead": "0.2"}
        text = report.compare(self.old, new)
        self.assertIn("cpu: x before, y now", text)
        self.assertIn("--quick", text)
        self.assertIn("nginx: 1.22 before, 1.26 now", text)
        self.assertNotIn("roadstead:", text)
        self.assertNotIn("cores", text)


def measured_once(name, cpu, **more):
    return {"name": name, "run_type": "iteration", "cpu_time": cpu, "real_time": cpu * 2, "time_unit": "us", "iterations": 9,
            **more}


class Micro(unittest.TestCase):
    def test_takes_the_cheapest_repetition_and_no_means(self):
        output = {"benchmarks": [measured_once("a", 3), measured_once("a", 2, bytes_per_second=1 << 20), measured_once("b", 1),
                                 {"name": "a_mean", "run_type": "aggregate", "cpu_time": 1, "time_unit": "us"}]}
        found = micro.entries(output, "crypto")
        self.assertEqual([(one["name"], one["cpu_ns"], one["wall_ns"]) for one in found], [("a", 2000, 4000), ("b", 1000, 2000)])
        text = report.micro_table({"micro": found})
        self.assertEqual(cells(text, "a"), ["a", "crypto", "2.00 µs", "4.00 µs", "1 MiB"])
        self.assertEqual(cells(text, "b")[-1], "1,000,000")

    def test_an_error_is_no_figure(self):
        with self.assertRaisesRegex(RuntimeError, "crypto: a: no key"):
            micro.entries({"benchmarks": [measured_once("a", 0, error_occurred=True, error_message="no key")]}, "crypto")

    def test_compare(self):
        old = {"micro": [{"name": "a", "program": "m", "cpu_ns": 100}, {"name": "gone", "program": "m", "cpu_ns": 1}]}
        new = {"micro": [{"name": "a", "program": "m", "cpu_ns": 50}, {"name": "fresh", "program": "m", "cpu_ns": 2e6}]}
        text = report.micro_compare(old, new)
        self.assertEqual(cells(text, "a")[2:], ["100.0 ns", "50.0 ns", "-50 %"])
        self.assertEqual(cells(text, "fresh")[2:], ["–", "2.00 ms", "–"])
        self.assertIn("Only in the older run: gone", text)


class Rows(unittest.TestCase):
    def test_recovery_ends_with_three_normal_slices_in_a_row(self):
        # Ten slices before the excess, which ends at 1.5 s; worst 20 ms before, so that 40 ms are normal.
        quiet, lead = [20, 5.0], [[20, 20.0]] * 10

        def of(*after):
            return rows.recovery({"began": 100.0, "slices": lead + [[20, 900.0]] * 5 + list(after)}, 101.0, 101.5)
        self.assertAlmostEqual(of(quiet, quiet, quiet), 0)
        self.assertAlmostEqual(of([20, 300.0], [0, 0.0], quiet, quiet, quiet, [1, 900.0]), 0.2)
        self.assertAlmostEqual(of(quiet, quiet, [20, 41.0], quiet, [20, 39.0], quiet), 0.3)
        self.assertAlmostEqual(of([20, 300.0], [20, 300.0]), 0.1)   # Not seen to recover: all that was seen.

    def test_names_are_unique_and_servers_known(self):
        import servers
        known = {kind.name for kind in servers.KINDS} | {"rsa2048"}
        names = [one.name for group in rows.groups() for one in group.rows]
        self.assertEqual(len(names), len(set(names)))
        for group in rows.groups():
            for one in group.rows:
                self.assertLessEqual({*one.servers, *one.reference}, known, one.name)


if __name__ == "__main__":
    unittest.main()
