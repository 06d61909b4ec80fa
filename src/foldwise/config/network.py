"""The network of a recipe and what it is fed: `model` and `input`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from foldwise.config.section import Part, Section


class MultiSampleConfig(Section):
    """Multi-sample dropout before the head."""

    samples: Annotated[int, Field(ge=2, le=64, description="Dropped copies of the features.")] = 5
    p: Annotated[float, Field(gt=0, lt=1, description="Share left out of each copy.")] = 0.5


class BranchConfig(Section):
    """A branch of the network."""

    name: Annotated[
        Literal["attention"],
        Field(description="attention: a side classifier whose map weighs the network's last one."),
    ] = "attention"
    weight: Annotated[
        float, Field(gt=0, description="Weight of the branch's own loss beside the network's.")
    ] = 1.0


class ShallowConfig(Section):
    """A stream at full resolution beside the network."""

    width: Annotated[
        int, Field(ge=4, le=512, description="Channels, and features it adds to the network's.")
    ] = 16
    depth: Annotated[int, Field(ge=1, le=8, description="Convolutions.")] = 2


class ModelConfig(Section):
    """The network."""

    name: Annotated[str, Field(description="timm network, own small one, or module:attribute.")]
    pretrained: Annotated[
        bool | str,
        Field(
            description="false; true: from the hub; a local file; or package:NAME for weights "
            "that an installed package ships."
        ),
    ] = False
    drop: Annotated[float, Field(ge=0, lt=1, description="Dropout before the head.")] = 0.0
    drop_path: Annotated[float, Field(ge=0, lt=1, description="Stochastic depth.")] = 0.0
    options: Annotated[dict[str, Any], Field(description="Further options of the network.")] = {}
    pool: Annotated[
        Part | None,
        Field(
            description="How the last map becomes features: avg, max, avgmax, gem, attention; "
            "null: as the network does it."
        ),
    ] = None
    multi_sample_dropout: Annotated[
        MultiSampleConfig | None,
        Field(description="The head trains on several dropped copies of the features."),
    ] = None
    branch: Annotated[
        BranchConfig | None, Field(description="A branch that looks at the last map.")
    ] = None
    shallow: Annotated[
        ShallowConfig | None,
        Field(description="A shallow stream whose features join the network's before the head."),
    ] = None
    columns: Annotated[
        tuple[Part, ...],
        Field(
            description="Columns of train and test whose values join the features: `age`, or "
            "{name: site, kind: category}; kind: auto, number or category."
        ),
    ] = ()


class InputConfig(Section):
    """What the network is fed."""

    size: Annotated[int, Field(ge=8, le=4096, description="Side of the input, in pixels.")] = 224
    zoom: Annotated[
        float, Field(ge=1, le=4, description="Cached size over input size; room for crops.")
    ] = 1.15
    fit: Annotated[
        Literal["stretch", "pad", "shorter_side"],
        Field(description="How an image of another shape becomes square."),
    ] = "stretch"
    channels: Annotated[int, Field(ge=1, le=64, description="Input channels.")] = 3
    steps: Annotated[
        tuple[Part, ...], Field(description="Steps before resizing: crop_border, ben, grey.")
    ] = ()
    store: Annotated[
        Literal["auto", "raw", "jpeg", "none"],
        Field(description="How the cache keeps images; auto: raw if the disk allows."),
    ] = "auto"


#: What a second-level recipe has in a network's place; no network is called so.
NO_NETWORK = ModelConfig(name="none")
