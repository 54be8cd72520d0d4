"""`make bench`: every benchmark of this folder, one after another; `python -m benchmarks NAME…` runs some of them."""

import importlib
import pkgutil
import sys

import benchmarks


def main(arguments: list[str]) -> int:
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")]
    wanted = arguments or names
    if unknown := sorted(set(wanted) - set(names)):
        print(f"no benchmark called {', '.join(unknown)}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
