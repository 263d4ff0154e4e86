"""The card of a generator: what its file says of it, beside the weights."""

import json
from dataclasses import dataclass, field
from typing import Annotated, Any

from gancourse import gans
from gancourse.errors import CheckpointError, printable
from gancourse.files import schema

LONGEST = 5_000_000  # characters of a card's JSON: 16,384 classes with the longest names


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a generator is made from; a card holds more for its reader, such as the quality."""

    model: str  # the name of the GAN
    config: dict[str, Any]  # of the GAN's Config
    step: Annotated[int, schema.Field(ge=0, le=10**12)]  # training steps made
    data: str = "unknown data"  # the name of the data set
    fields: dict[str, Any] = field(default_factory=dict)  # cards of the inputs, by name


def read(card, path):
    """Return the GAN's file and the configuration that a card names.

    Parameters
    ----------
    card : JSON-able
    path : str or pathlib.Path
        Of the file, for messages.

    Returns
    -------
    module : module
        Of :mod:`gancourse.gans`.
    cfg : Config

    Raises
    ------
    CheckpointError
        If the card is of another shape than expected, or names what this version does not know.
    """
    if not isinstance(card, dict) or not {"model", "config"} <= card.keys():
        raise CheckpointError(
            f"{path} does not say which GAN it holds. Take a run's generator.safetensors."
        )
    if len(json.dumps(card)) > LONGEST:
        raise CheckpointError(
            f"the card of {path} is longer than {LONGEST:,} characters: no run wrote it."
        )
    found = schema.read(Card, card, f"the card of {path}", CheckpointError)
    if found.model not in gans.names():
        raise CheckpointError(
            f"{path} holds a GAN {printable(repr(found.model), 60)}, which this version of "
            f"gancourse does not know; it knows {', '.join(gans.names())}."
        )
    module = gans.find(found.model)
    what = f"the configuration of {found.model} in {path}"
    return module, schema.read(module.Config, found.config, what, CheckpointError, exact=True)
