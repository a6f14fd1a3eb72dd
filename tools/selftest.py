#!/usr/bin/python3
"""Tests of the tools. The checking ones: on a small tree each rule is broken once and has to be noticed."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


layers = load("check_layers")
tidy = load("tidy")
estate = load("make_estate")


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("CMakeLists.txt", "add_subdirectory(src/base)\nadd_subdirectory(src/low)\n"
                                     "add_subdirectory(src/mid)\nadd_subdirectory(src/top)\n")
        self.module("base", "HEADERS result.h")
        self.module("low", "DEPS base HEADERS low.h")
        self.module("mid", "DEPS low HEADERS mid.h")
        self.module("top", "DEPS mid SOURCES top.cpp HEADERS top.h TESTS top_test.cpp TEST_DEPS low")
        for header in ("base/result.h", "low/low.h", "low/internal/deep.h", "low/testing/fake.h",
                       "low/unlisted.h", "mid/mid.h", "top/top.h"):
            self.write("src/" + header, "#pragma once\n")

    def write(self, path, text):
        path = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def module(self, name, rest):
        self.write(f"src/{name}/CMakeLists.txt", f"roadstead_module(NAME {name} {rest})\n")

    def problems(self):
        return "\n".join(layers.Checker(self.folder.name).run())

    def test_clean_tree_passes(self):
        self.write("src/top/top.cpp", '#include "top/top.h"\n#include <fcntl.h>\n#include <vector>\n'
                                      '#include "base/result.h"\n#include "mid/mid.h"\n')
        self.assertEqual(self.problems(), "")

    def test_transitive_dependency_is_not_enough(self):
        self.write("src/top/top.cpp", '#include "low/low.h"\n')
        self.assertIn("low is not in DEPS of top", self.problems())

    def test_test_dependencies_are_for_tests(self):
        self.write("src/top/top_test.cpp", '#include "low/low.h"\n#include "low/testing/fake.h"\n')
        self.assertEqual(self.problems(), "")

    def test_testing_headers_are_for_tests(self):
        self.write("src/mid/mid.h", '#include "low/testing/fake.h"\n')
        self.assertIn("is for tests only", self.problems())

    def test_upward_include(self):
        self.write("src/low/low.h", '#include "mid/mid.h"\n')
        self.assertIn("mid is not in DEPS of low", self.problems())

    def test_upward_dependency(self):
        self.module("low", "DEPS mid HEADERS low.h")
        self.assertIn("does not stand below", self.problems())

    def test_foreign_internal(self):
        self.write("src/mid/mid.h", '#include "low/internal/deep.h"\n')
        self.assertIn("internal to low", self.problems())

    def test_unlisted_header(self):
        self.write("src/mid/mid.h", '#include "low/unlisted.h"\n')
        self.assertIn("not listed under HEADERS", self.problems())

    def test_third_party_fence(self):
        self.write("src/top/top.cpp", "#include <openssl/evp.h>\n#include <foo/bar.h>\n")
        self.assertIn("<openssl/evp.h> belongs to", self.problems())
        self.assertIn("<foo/bar.h> is a library", self.problems())

    def test_missing_file(self):
        self.write("src/top/top.cpp", '#include "top.h"\n')
        self.assertIn("is not a file below src/", self.problems())


class TidyTest(unittest.TestCase):
    def test_comments_and_literals_are_not_code(self):
        code = tidy.code_only('a("std::cout"); // rand()\nint n = 1\'000; /* gets( */\nR"(co_await x)";')
        for word in ("cout", "rand", "gets", "co_await"):
            self.assertNotIn(word, code)
        self.assertIn("1'000", code)
        self.assertEqual(code.count("\n"), 2)

    def test_function_lengths(self):
        body = "  x();\n" * 80
        code = ("namespace n {\n\nvoid Foo::bar(int a,\n              int b) {\n" + body + "}\n\n"
                "class C {\n public:\n  int f() const {\n    if (a) {\n      b();\n    }\n  }\n};\n}\n")
        lengths = {name: length for _, name, length in tidy.functions(code)}
        self.assertEqual(lengths, {"Foo::bar": 83, "f": 5})

    def test_nesting(self):
        code = ("void f() {\n  for (;;) {\n    if (a) {\n      switch (b) {\n        case 1:\n"
                "          while (c) {\n            d();\n          }\n      }\n    }\n  }\n}\n")
        self.assertEqual(tidy.deepest_nesting(code), (6, 4))
        code = "void f() {\n  if (a) {\n    g([&](int x) {\n      if (b) {\n      }\n    });\n  }\n}\n"
        self.assertEqual(tidy.deepest_nesting(code)[1], 1)

    def test_banned_names(self):
        import re
        for line in ("std::cout << 1;", "sprintf(a, b);", "x = rand();", "co_await f();",
                     "using namespace std;", "t.detach();", "assert(x);"):
            self.assertTrue(any(re.search(pattern, line) for pattern in tidy.BANNED), line)
        for line in ("operand(x);", "static_assert(x);", "using namespace std::chrono_literals;",
                     "static Permission system(Resource r);", "fmt::format_to(x);"):
            self.assertFalse(any(re.search(pattern, line) for pattern in tidy.BANNED), line)

    def test_exceptions_only_shrink(self):
        exceptions = tidy.Exceptions()
        exceptions.sizes = {("a.cpp", "lines"): 700}
        self.assertIsNone(exceptions.problem("a.cpp", "lines", 700, 600))
        self.assertIn("more than", exceptions.problem("a.cpp", "lines", 701, 600))
        self.assertIn("shrank", exceptions.problem("a.cpp", "lines", 650, 600))
        self.assertIn("remove it", exceptions.problem("a.cpp", "lines", 500, 600))
        self.assertIn("limit is 600", exceptions.problem("b.cpp", "lines", 601, 600))
        exceptions.sizes[("gone.cpp", "lines")] = 800
        self.assertEqual(exceptions.unused(), [("gone.cpp", "lines")])


class EstateTest(unittest.TestCase):
    """What it writes is compared and served by tests/e2e/cases/estate.py."""

    def test_content_follows_from_the_seed(self):
        content = estate.Content(7)
        self.assertEqual(content.manifest(3), estate.Content(7).manifest(3))
        self.assertEqual(len({content.manifest(n) for n in range(50)} | {estate.Content(8).manifest(0)}), 51)
        self.assertEqual(len(content.manifest(123_456_789)), content.manifest_size)

    def test_defaults_follow_what_is_above(self):
        options = estate.arguments(["--data-dir", "d", "--repositories", "5"])
        self.assertEqual((options.projects, options.artifacts, options.tags), (1, 5, 5))

    def test_refuses_what_cannot_exist(self):
        for wrong in (("--projects", "0"), ("--artifacts", "1"), ("--tags", "1"), ("--repositories", "3", "--artifacts", "2")):
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
                estate.arguments(["--data-dir", "d", *wrong])


if __name__ == "__main__":
    unittest.main()
