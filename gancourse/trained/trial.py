"""What a configuration would make, computed without numbers on the meta device."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gancourse import fields
from gancourse.errors import CheckpointError
from gancourse.files.weights import computing

MOST = 2**27  # bytes of one sample's largest intermediate result
TOGETHER = 2**24  # bytes that this result may take for all samples that are made together


class Largest(TorchDispatchMode):
    """Notes the size in bytes of the largest result of an operation."""

    size = 1

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        """Run an operation, and look at its results."""
        result = operator(*args, **(kwargs or {}))
        if not any(value.alias_info for value in operator._schema.returns):  # no view of a weight
            made = (x.numel() * x.itemsize for x in tree_leaves(result) if torch.is_tensor(x))
            self.size = max(self.size, *made, 0)
        return result


def samples_at_once(gan, module, path):
    """Return how many samples a GAN makes at once in little memory.

    Parameters
    ----------
    gan : GAN
        Its networks are on the meta device.
    module : module
        The GAN's file.
    path : str or pathlib.Path
        Of the generator's file, for messages.

    Returns
    -------
    int

    Raises
    ------
    CheckpointError
        If the configuration makes no samples of the form that it promises, or one sample needs
        much memory.
    """
    source, largest = torch.Generator().manual_seed(0), Largest()
    complaint = f"the configuration in {path} makes no samples"
    with computing(complaint):
        inputs = module.inputs(gan.cfg)
    for name, field in inputs.items():
        fields.read(field.card(), f"{complaint}: its field {name}", CheckpointError)
    for made, names in module.SAMPLES.items():
        with computing(complaint), largest:
            given = {n: inputs[n].example(1, source) for n in names if n != "z"}
            if "z" in names:
                given["z"] = module.draw_z(gan.cfg, 1, source)
            shape = tuple(module.sample(gan, 1, **given).shape)
        if shape != (1, *inputs[made].shape):
            raise CheckpointError(
                f"{complaint} of {made}: they would have the shape {shape}, expected "
                f"{(1, *inputs[made].shape)}. Train again."
            )
    if largest.size > MOST:
        raise CheckpointError(
            f"{path} needs {largest.size / 2**20:,.0f} MB for one step of one sample; at most "
            f"{MOST / 2**20:,.0f} MB are allowed."
        )
    return max(1, TOGETHER // largest.size)
