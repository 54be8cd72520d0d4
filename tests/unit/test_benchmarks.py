"""The benchmarks whose numbers the pages quote can be begun; what they measure is no matter of tests."""

import importlib
import inspect
import pkgutil

import pytest

import benchmarks

NAMES = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_is_begun_without_arguments(name: str) -> None:
    inspect.signature(importlib.import_module(f"benchmarks.{name}").main).bind()
