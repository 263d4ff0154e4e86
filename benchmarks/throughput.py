"""Steps a second of each GAN, in each precision and memory format: ``make bench``.

Every variant is timed in turns with plain fp32 in the same process, and reported as a ratio to
it: machines differ and are noisy, ratios less so. The result is written to
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
    parser.add_argument("--device", default="auto")
    parser.add_argument("--preset", default="laptop", choices=("smoke", "laptop", "paper"))
    parser.add_argument("--rounds", type=int, default=5, help="turns that each variant gets")
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
    """Time all variants of one GAN in turns; return a row for each that runs here."""
    module = gans.find(name)
    cfg = module.PRESETS[preset]
    points = any(isinstance(field, Points) for field in module.inputs(cfg).values())
    steppers = {}
    for variant, options in VARIANTS.items():
        if "channels_last" in variant and points:
            continue
        try:
            steppers[variant] = stepper(module, cfg, runtime.start(str(device), 0, **options))
        except Exception as error:  # no compiler here, no bf16 on this device: say so and go on
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
    """Build a GAN on made-up data and return a function that trains it for one step."""
    gan = module.build(cfg, run, **trained.frozen_for(module, run.device))
    step, _ = gans.step_function(module, cfg)
    taken = {name: field for name, field in module.inputs(cfg).items() if name in module.TAKES}
    batch = example(taken, cfg.batch_size, device=run.device)
    for _ in range(3):  # compiles, and fills the caches
        step(gan, batch, run)
    return lambda: step(gan, batch, run)


def timed(step, device, seconds=1.0):
    """Return the seconds of one step, from about ``seconds`` of steps."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(5):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        count += 5
    return (time.perf_counter() - start) / count


def cpu_name():
    """Return the processor's name as the system knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
