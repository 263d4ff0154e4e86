"""Training steps as CUDA graphs: the kernels of a whole step are launched at once.

A step of a small network is some hundred kernels of a few microseconds each. PyTorch takes longer
to launch them, one by one, than the GPU takes to compute. A CUDA graph holds them all, with the
memory that they use, and one call launches them.
"""

import operator
import warnings
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler


def replayed(train_step, gan, run):
    """Return a step function that replays CUDA graphs of ``train_step``, if the run wants graphs.

    It does the same as ``train_step``, with the same random numbers. A step is made as ever when
    something in it is new. Its graph is recorded when the same comes again.

    A step function may read ``gan.step``: there is a graph for each outcome of what it compares the
    number with. Otherwise it may depend on tensors alone, which it changes in place, and on
    settings. What it does beside computing with tensors, such as printing, happens while a graph is
    recorded, and not when the graph is replayed.

    Parameters
    ----------
    train_step : callable
        See :func:`gancourse.training.train`.
    gan : GAN
    run : Run

    Returns
    -------
    callable
        ``train_step`` itself without ``run.graphs``, with several processes, with compiled
        networks, and with optimizers other than fused Adam and RMSprop.
    """
    alone = run.processes == 1 and not run.compile
    if not run.graphs or not alone or isinstance(train_step, Replayed):
        return train_step
    if not all(map(can_be_recorded, optimizers_of(gan))):
        return train_step
    return Replayed(train_step, gan, run)


def can_be_recorded(optimizer):
    """Return whether a graph can hold an optimizer's step: it counts its steps on the device."""
    if isinstance(optimizer, torch.optim.RMSprop):
        return True  # its count has no effect
    fused = all(group.get("fused") for group in optimizer.param_groups)
    return isinstance(optimizer, torch.optim.Adam) and fused


def optimizers_of(gan):
    """Return the optimizers of a GAN."""
    return [part for part in vars(gan).values() if isinstance(part, torch.optim.Optimizer)]


class Replayed:
    """The step function that :func:`replayed` returns.

    Parameters
    ----------
    step, gan, run
        See :func:`replayed`.
    record : callable, optional
        :class:`Graph`, or what stands for it where there is no GPU.
    """

    def __init__(self, step, gan, run, record=None):
        self.step, self.gan, self.run = step, gan, run
        self.record = record or Graph
        self.stream = torch.cuda.Stream(run.device) if run.device.type == "cuda" else None
        self.questions = {}  # about the number of the step
        self.ready, self.graphs, self.inputs, self.problem = set(), {}, {}, None

    def __call__(self, gan, batch, run):
        """Make a step; see :func:`gancourse.training.train`."""
        if gan is not self.gan or self.problem:
            return self.step(gan, batch, run)
        key = self.key(batch)
        if key in self.ready and key not in self.graphs:
            self._record(key, batch)
        if key in self.graphs:
            return self.graphs[key].replay(batch)
        before = python_state(gan), addresses(gan)
        with self._watched(), aside(self.stream):
            losses = self.step(gan, batch, run)
        if before == (python_state(gan), addresses(gan)):
            self.ready.add(self.key(batch))
        return losses

    def key(self, batch):
        """Return what decides which graph is replayed."""
        answers = tuple(answer(question, self.gan.step) for question in self.questions)
        return answers, tuple((name, rows.shape, rows.dtype) for name, rows in batch.items())

    def _record(self, key, batch):
        networks = [part for part in vars(self.gan).values() if isinstance(part, nn.Module)]
        weights = [weight for net in networks for weight in net.parameters()]
        needed = [weight.requires_grad for weight in weights]
        try:
            with self._watched():
                graph = self.record(self.step, self.gan, batch, self.run, self.inputs)
            self.graphs[key] = graph
        except Exception as error:  # what cannot be recorded says so in many ways
            self.problem = str(error).partition("\n")[0]
            self.graphs.clear()
            for weight, need in zip(weights, needed, strict=True):
                weight.requires_grad_(need)
            warnings.warn(f"no CUDA graph of a step: {self.problem}", stacklevel=2)

    @contextmanager
    def _watched(self):
        """Note what is asked about the number of the step; forget the graphs if it is new."""
        number, known = self.gan.step, len(self.questions)
        self.gan.step = StepNumber(number, None, self.questions)
        try:
            yield
        finally:
            self.gan.step = number
            if len(self.questions) > known:
                self.ready.clear()
                self.graphs.clear()


class Graph:
    """A CUDA graph of a step.

    Parameters
    ----------
    step, gan, batch, run
        See :func:`gancourse.training.train`.
    inputs : dict
        The memory of the batches, which the graphs of a GAN share, and that of their results.
    """

    def __init__(self, step, gan, batch, run, inputs):
        if "pool" not in inputs:
            inputs["pool"] = torch.cuda.graph_pool_handle()
        self.batch = {}
        for name, rows in batch.items():
            place = name, rows.shape, rows.dtype
            if place not in inputs:
                inputs[place] = torch.empty_like(rows)
            self.batch[name] = inputs[place]
        self.graph = torch.cuda.CUDAGraph()
        self.rates, self.late = [], []
        with (
            postponed(gan, self.late),
            on_device(gan, self.rates, self.late),
            torch.cuda.graph(self.graph, pool=inputs["pool"], capture_error_mode="thread_local"),
        ):
            self.losses = step(gan, self.batch, run)

    def replay(self, batch):
        """Make the step with a batch, and return its losses, which the next replay overwrites."""
        for name, rows in batch.items():
            self.batch[name].copy_(rows)
        for rate in self.rates:
            rate.refresh()
        self.graph.replay()
        for call in self.late:
            call()
        return self.losses


class Rate:
    """The step size of a group of weights, in the memory of the device."""

    def __init__(self, group):
        self.group, self.now = group, float(group["lr"])
        self.value = torch.tensor(self.now, device=group["params"][0].device)

    def refresh(self):
        """Copy the step size to the device if it has changed."""
        if self.group["lr"] != self.now:
            self.now = float(self.group["lr"])
            self.value.fill_(self.now)


@contextmanager
def on_device(gan, rates, late):
    """Let the optimizers read their step sizes from the device, and count there, in a block.

    Parameters
    ----------
    gan : GAN
    rates : list
        Gets a :class:`Rate` for each group of weights.
    late : list of callable
        Gets, for each step of an optimizer, what counts it on the CPU if that is where it counts.
    """
    groups = [group for optimizer in optimizers_of(gan) for group in optimizer.param_groups]
    before = [(group["lr"], group["capturable"]) for group in groups]
    states = [s for o in optimizers_of(gan) for s in o.state.values() if not s["step"].is_cuda]
    counts, hooks = [state["step"] for state in states], []
    try:
        for group in groups:
            rates.append(Rate(group))
            group["lr"], group["capturable"] = rates[-1].value, True
        for optimizer in optimizers_of(gan):
            own = [state["step"] for state in optimizer.state.values()]
            if own and not own[0].is_cuda:
                hooks.append(optimizer.register_step_post_hook(counting(own, late)))
        for state in states:
            state["step"] = state["step"].to(rates[0].value.device)
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for state, count in zip(states, counts, strict=True):
            state["step"] = count
        for group, (lr, capturable) in zip(groups, before, strict=True):
            group["lr"], group["capturable"] = lr, capturable


def counting(counts, late):
    """Return a hook that adds to ``late`` a call which counts a step."""
    return lambda *_: late.append(lambda: torch._foreach_add_(counts, 1))


@contextmanager
def postponed(gan, calls):
    """Put the steps of the schedules, which run in Python, into a list in place of taking them."""
    schedules = [part for part in vars(gan).values() if isinstance(part, LRScheduler)]
    taken = {schedule: schedule.step for schedule in schedules}
    try:
        for schedule, step in taken.items():
            schedule.step = lambda step=step: calls.append(step)
        yield
    finally:
        for schedule in schedules:
            del schedule.step


@contextmanager
def aside(stream):
    """Compute on another stream, as the steps before a recording must; on this one for None."""
    if stream is None:
        yield
        return
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def python_state(gan):
    """Return the numbers and texts that a GAN's parts keep in Python, but for its optimizers."""
    found = {}
    for name, part in vars(gan).items():
        if isinstance(part, nn.Module):
            owners = dict(part.named_modules(prefix=name))
        elif isinstance(part, torch.optim.Optimizer | LRScheduler) or name == "history":
            continue
        else:
            owners = {name: part}
        for place, owner in owners.items():
            for key, value in getattr(owner, "__dict__", {}).items():
                if isinstance(value, bool | int | float | str | None):
                    found[place, key] = value
        if isinstance(part, bool | int | float | str | None) and name != "step":
            found[name] = part
    return found


def addresses(gan):
    """Return where the tensors of a GAN lie: a graph would go on with those of its recording."""
    found = {}

    def look(place, value):
        if isinstance(value, torch.Tensor):
            found[place] = value.data_ptr()
        elif isinstance(value, dict):
            for key, own in value.items():
                look((*place, key), own)
        elif isinstance(value, list | tuple):
            for i, own in enumerate(value):
                look((*place, i), own)

    for name, part in vars(gan).items():
        if isinstance(part, torch.Tensor):
            look((name,), part)
        elif isinstance(part, torch.optim.Optimizer):
            for number, state in enumerate(part.state.values()):
                look((name, number), dict(state))
        elif isinstance(part, nn.Module):
            look((name,), dict(part.named_parameters()) | dict(part.named_buffers()))
        elif hasattr(part, "__dict__"):
            look((name,), vars(part))
    return found


class StepNumber:
    """The number of a step, which notes what is asked about it.

    It is no ``int``: Python would read the value of one without asking.

    Parameters
    ----------
    value : int
    term : tuple or None
        How it follows from the number of the step: None, or (function, term, other number).
    questions : dict
        Gets what was asked as its keys: terms too.
    """

    def __init__(self, value, term, questions):
        self.value, self.term, self.questions = value, term, questions

    def asked(self, function, *others):
        """Note a question, and return its answer."""
        self.questions.setdefault((function, self.term, *others))
        return function(self.value, *others)

    def follows(self, function, other):
        """Return the number that follows from this one."""
        if not isinstance(other, int):
            return function(self.asked(int), other)
        value = function(self.value, other)
        return StepNumber(value, (function, self.term, other), self.questions)

    def __bool__(self):
        return self.asked(bool)

    def __index__(self):
        return self.asked(int)

    __int__ = __index__

    def __float__(self):
        return self.asked(float)

    def __hash__(self):
        return hash(self.asked(int))

    def __str__(self):
        return str(self.asked(int))

    __repr__ = __str__

    def __format__(self, form):
        return format(self.asked(int), form)


def _asking(function):
    return lambda self, other: self.asked(function, other)


def _following(function):
    return lambda self, other: self.follows(function, other)


def _reading(function):
    return lambda self, *others: function(self.asked(int), *others)


def _turned(function):
    return lambda self, other: function(other, self.asked(int))


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(StepNumber, f"__{_name}__", _asking(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "mod", "floordiv"):
    setattr(StepNumber, f"__{_name}__", _following(getattr(operator, _name)))
    setattr(StepNumber, f"__r{_name}__", _turned(getattr(operator, _name)))
for _name in ("truediv", "pow", "lshift", "rshift"):
    setattr(StepNumber, f"__{_name}__", _reading(getattr(operator, _name)))
    setattr(StepNumber, f"__r{_name}__", _turned(getattr(operator, _name)))
for _name in ("neg", "abs", "and_", "or_", "xor"):
    setattr(StepNumber, f"__{_name.strip('_')}__", _reading(getattr(operator, _name)))
StepNumber.__divmod__ = _reading(divmod)


def answer(question, number):
    """Return what a question or a term is for a number of a step."""
    if question is None:
        return number
    function, term, *others = question
    return function(answer(term, number), *others)
