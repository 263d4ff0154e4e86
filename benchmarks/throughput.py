"""Time a training step of each GAN, in each precision and memory format: ``make bench``.

The variants of a GAN are timed in turns in one process. Each has its milliseconds and, since
machines differ, its speed relative to fp32: 2 is twice as fast. The result is written to
``benchmarks/throughput-DEVICE.json`` with the machine and the date.
"""

import argparse
import datetime
import json
import platform
import statistics
import time
from pathlib import Path

import torch

from gancourse import gans, trained
from gancourse.fields import Points, example
from gancourse.training import runtime

HERE = Path(__file__).parent
VARIANTS = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "channels_last": {"channels_last": True},
    "bf16 channels_last": {"precision": "bf16", "channels_last": True},
    "compile": {"compile": True},
}


def main():
    """Time every GAN and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu")
    presets = ("smoke", "laptop", "paper")
    parser.add_argument("--preset", default="laptop", choices=presets, help="of every GAN")
    parser.add_argument("--rounds", type=int, default=5, help="how often each variant is timed")
    options = parser.parse_args()
    device = runtime.find_device(options.device)
    rows = [
        row
        for name in gans.names()
        for row in measure(name, options.preset, device, options.rounds)
    ]
    for row in rows:
        print(f"{row['gan']:<10} {row['variant']:<20} {row['ratio']:.2f} x fp32")
    result = {
        "date": datetime.date.today().isoformat(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "preset": options.preset,
        "rows": rows,
    }
    path = HERE / f"throughput-{device.type}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written: {path.relative_to(HERE.parent)}")


def measure(name, preset, device, rounds):
    """Time all variants of one GAN in turns.

    Returns
    -------
    list of dict
        For each variant that runs here: "gan", "variant", "ms" (the median time of a step, in
        milliseconds) and "ratio" (the speed relative to fp32).
    """
    module = gans.find(name)
    cfg = module.PRESETS[preset]
    points = any(isinstance(field, Points) for field in module.inputs(cfg).values())
    steppers = {}
    for variant, options in VARIANTS.items():
        if "channels_last" in variant and points:
            continue
        try:
            steppers[variant] = stepper(module, cfg, runtime.start(str(device), 0, **options))
        except Exception as error:  # for instance no compiler, or no bf16 on this device
            print(f"{name} {variant}: left out ({str(error).splitlines()[0][:80]})")
    times = {variant: [] for variant in steppers}
    for _ in range(rounds):
        for variant, step in steppers.items():
            times[variant].append(timed(step, device))
    return [
        {
            "gan": name,
            "variant": variant,
            "ms": round(1e3 * statistics.median(values), 3),
            "ratio": round(statistics.median(times["fp32"]) / statistics.median(values), 3),
        }
        for variant, values in times.items()
    ]


def stepper(module, cfg, run):
    """Return a function that trains a new GAN for one step, on a made-up batch."""
    gan = module.build(cfg, run, **trained.frozen_for(module, run.device))
    step, _ = gans.step_function(module, cfg)
    taken = {name: field for name, field in module.inputs(cfg).items() if name in module.TAKES}
    batch = example(taken, cfg.batch_size, device=run.device)
    for _ in range(3):  # the first steps compile and allocate
        step(gan, batch, run)
    return lambda: step(gan, batch, run)


def timed(step, device, seconds=1.0):
    """Return the mean time of a step in seconds, over about ``seconds`` of steps."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(5):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        count += 5
    return (time.perf_counter() - start) / count


def cpu_name():
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
