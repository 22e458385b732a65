"""The library from Python, installed as the package is: what the documentation promises. Argument: a log that an engine printed."""
import json
import pathlib
import subprocess
import sys
import threading

import planner

answer = planner.estimate(model="deepseek-r1-distill-qwen-1.5b", quant="Q4_K_M", gpu="rtx 4090", context=131072)
assert answer["schema"] == "planner.estimate/1"
assert answer["memory"]["kv_cache_bytes"] == 3.5 * 2**30
assert answer["model"]["parameters_total"] == 1777088000

if len(sys.argv) > 2:  # the program of the same tree gives the same answer
    program = [sys.argv[2], "estimate", "--model", "deepseek-r1-distill-qwen-1.5b", "--quant", "Q4_K_M", "--context", "131072", "--gpu", "rtx 4090", "--json"]
    assert json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout) == answer

good, bad = planner.estimate_many([{"model": "qwen3-8b", "quant": "Q4_K_M", "gpu": "rtx 3060", "solve": False}, {"model": "no such model"}])
assert good["fit"]["verdict"] in ("fits", "tight", "offload", "no")
assert bad["schema"] == "planner.error/1" and bad["line"] == 2

for call, status in ((lambda: planner.estimate(model="no such model"), 2), (lambda: planner.estimate(model="qwen3-8b", contxt=1), 2), (lambda: planner.inspect("/no/such.gguf"), 3),
                     (lambda: planner.show("a\0b"), 2), (lambda: planner.Catalog([pathlib.Path(__file__).parent / "broken"]), 3)):
    try:
        call()
    except planner.Error as error:
        assert error.status == status, (error, error.status)
        assert "\n" not in str(error)
    else:
        raise AssertionError("no error was raised")

assert any(model["id"] == "qwen3-8b" for model in planner.models("qwen3 8b"))
assert planner.gpus("rtx 4090") and planner.quants("Q4_K_M") and planner.engines("vllm") and planner.gpus("no such thing") == []
assert planner.show("rtx 4090")["kind"] == "device"
assert planner.check(pathlib.Path(sys.argv[1]).read_text())["schema"] == "planner.check/1"

problems = []
def work(number):
    try:
        for i in range(20):
            own = planner.estimate(model="qwen3-8b", quant="Q8_0", gpu="rtx 3060", context=1024 * (1 + (number + i) % 5), solve=False)
            assert own["workload"]["context"] == 1024 * (1 + (number + i) % 5)
    except BaseException as error:
        problems.append(error)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not problems, problems
print("all held")
