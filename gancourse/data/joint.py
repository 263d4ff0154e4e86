"""Several data sets with different labels, as one: StarGAN trains on them jointly.

>>> from gancourse.data import load
>>> faces = load("toons:40", image_size=32)
>>> data = JointImages([(faces, ("Eyeglasses", "Smiling")), (faces, "classes")])
>>> data
<toons + toons: 40 and 40 pictures (3, 32, 32), 2 attributes and 6 classes on cpu>
>>> data.fields["labels"].names[:3]
('Eyeglasses', 'Smiling', 'neutral')
"""

import copy
from dataclasses import replace

import torch

from gancourse.data.source import GIVEN, ImageData, check_limit, lacks
from gancourse.errors import DataError, choose
from gancourse.fields import Classes, Flags

KINDS = ("attributes", "classes")


class JointImages:
    """Pictures of one or more sets; a set may have labels that the others lack.

    Parameters
    ----------
    members : sequence of ImageData, or of tuples (ImageData, labels)
        ``labels`` says which labels are taken of a set: ``"attributes"``, of which a picture can
        have any number; ``"classes"``, of which it has one; or a sequence of names of attributes.
        If left out: the attributes, or the classes if there are none.
    name : str, optional
        If left out, the names of the members, joined by " + ".

    Attributes
    ----------
    members : tuple of ImageData
    name : str
    fields : dict of str to Field
        ``"real"``; ``"labels"``, with a set of labels for each member; ``"source"``, the number of
        the member whose labels are known.

    Raises
    ------
    DataError
        If a member has no such labels, or the pictures differ in shape.
    """

    def __init__(self, members, name=None):
        members = [
            tuple(member) if isinstance(member, tuple | list) else (member, None)
            for member in members
        ]
        if not members:
            raise DataError("joint training needs at least one data set, not none.")
        self.members = tuple(data for data, _ in members)
        self.name = name or " + ".join(data.name for data in self.members)
        shapes = {tuple(data.shape): data.name for data in self.members}
        if len(shapes) > 1:
            found = ", ".join(f"{shape} in {member}" for shape, member in shapes.items())
            raise DataError(
                f"{self.name}: the pictures differ in shape, (channels, height, width): {found}. "
                "Bring them to one with resized(64)."
            )
        read = [_read_labels(data, labels) for data, labels in members]
        labels = Flags(sets=tuple((kind, names) for kind, names, _ in read))
        source = Classes(count=len(members), names=tuple(data.name for data in self.members))
        self._sets = {"labels": labels, "source": source}
        self._taken = ("real", "labels", "source")
        self._labels = []
        for number, (_, _, values) in enumerate(read):
            before, after = sum(labels.sizes[:number]), sum(labels.sizes[number + 1 :])
            self._labels.append(torch.nn.functional.pad(values, (before, after)))

    def __len__(self):
        return sum(map(len, self.members))

    def __repr__(self):
        counts = " and ".join(f"{len(data):,}" for data in self.members)
        sets = self._sets["labels"].sets
        labels = " and ".join(f"{len(names)} {kind}" for kind, names in sets)
        return f"<{self.name}: {counts} pictures {self.shape}, {labels} on {self.device}>"

    @property
    def fields(self):
        """What a batch holds, by name."""
        return {name: self._known[name] for name in self._taken}

    @property
    def _known(self):
        return {"real": self.members[0].columns["real"].field} | self._sets

    def take(self, *names, like=None):
        """Return the same data with batches of exactly these fields."""
        known = self._known
        for name in names:
            if name not in known:
                raise lacks(self.name, name, known)
        other = copy.copy(self)
        other._taken = names
        return other

    @property
    def shape(self):
        """The shape of one picture, (C, H, W)."""
        return tuple(self.members[0].shape)

    @property
    def device(self):
        """The device of the pictures."""
        return self.members[0].device

    @property
    def nbytes(self):
        """How many bytes the pictures of all members take, as they are stored."""
        return sum(data.columns["real"].nbytes for data in self.members)

    def fingerprint(self):
        """Return what tells the members from others; see :class:`gancourse.data.source.Data`."""
        return {str(i): data.fingerprint() for i, data in enumerate(self.members)}

    def labels(self, number, index=None):
        """Return labels of the pictures of one member as a model takes them.

        Parameters
        ----------
        number : int
            Which member.
        index : slice, list or torch.Tensor, optional
            Which of its pictures; all if left out.

        Returns
        -------
        float32 torch.Tensor of 0 and 1, (N, number of labels)
            The columns of other members' labels, which are not known, are 0.
        """
        return self._labels[number] if index is None else self._labels[number][index]

    def to(self, device):
        """Return the same data on another device."""
        other = self._each(lambda data: data.to(device))
        other._labels = [labels.to(device) for labels in self._labels]
        return other

    def resized(self, image_size):
        """Return the data with pictures of ``image_size`` by ``image_size`` pixels."""
        return self._each(lambda data: data.resized(image_size))

    def first(self, limit):
        """Return the first ``limit`` pictures of each member, or all of one that has fewer."""
        check_limit(max(self.members, key=len), limit)
        other = self._each(lambda data: data.first(min(limit, len(data))))
        other._labels = [labels[:limit] for labels in self._labels]
        return other

    def _each(self, change):
        other = copy.copy(self)
        other.members = tuple(change(data) for data in self.members)
        return other

    def preview(self, n, run):
        """Return the batch of the first step; see :meth:`gancourse.data.source.Data.preview`."""
        return self.batch(0, min(n, len(self)), replace(run, process=0, processes=1)), True

    def batch(self, step, size, run):
        """Return the batch of a step, a pure function of ``(run.seed, step)``.

        It holds as many pictures of each member, one member after the other; if ``size`` is not a
        multiple, the first members have one picture more. Each member has its own epochs.

        Returns
        -------
        dict of str to torch.Tensor
            ``"real"``: float32 (N, C, H, W) in [-1, 1]; ``"labels"``: float32 (N, number of
            labels), see :meth:`labels`; ``"source"``: int64 (N,), the number of the member.

        Raises
        ------
        DataError
            If a member has fewer pictures than its share, or there are more members than ``size``.
        """
        if size < len(self.members):
            raise DataError(
                f"a batch of {size} has no room for {len(self.members)} sets: raise batch_size."
            )
        share, more = divmod(size, len(self.members))
        parts, before = [], 0
        for number, data in enumerate(self.members):
            count = share + (number < more)
            # The first set keeps the order that it has alone; the others are ordered otherwise.
            index = data.rows(step, count, run, *([number] if number else []))
            index, before = run.share(index, before), before + count
            labels = self._labels[number][index.to(self._labels[number].device)]
            source = torch.full((len(index),), number, device=run.device)
            real = data.columns["real"].rows(index, run.device)
            parts.append((real, labels.to(run.device), source))
        real, labels, source = (torch.cat(part) for part in zip(*parts, strict=True))
        batch = {"real": real, "labels": labels, "source": source}
        return {name: batch[name] for name in self._taken}


def _read_labels(data, wanted):
    """Return the kind, the names and the values, float32 (N, number of names), of labels."""
    if not isinstance(data, ImageData):
        raise DataError(f"{data.name} is not a set of pictures with labels or attributes")
    attributes = data.attributes is not None
    if wanted is None:
        wanted = "attributes" if attributes else "classes"
    if wanted == "classes":
        if not data.num_classes:
            raise DataError(
                f"{data.name} has no classes. {GIVEN['labels']} Or take its attributes."
            )
        values = torch.nn.functional.one_hot(data.labels.long(), data.num_classes)
        return "classes", tuple(data.classes), values.float()
    if isinstance(wanted, str):
        choose("kind of labels", wanted, KINDS)
    if not attributes:
        raise DataError(f"{data.name} has no attributes. {GIVEN['attributes']}")
    known = tuple(data.attribute_names)
    names = known if wanted == "attributes" else tuple(wanted)
    columns = [known.index(choose(f"attribute of {data.name}", name, known)) for name in names]
    if not names or len(set(names)) < len(names):
        raise DataError(f"{data.name}: each attribute is named once, not {list(names)}")
    return "attributes", names, data.attributes.float()[:, columns]
