"""The network of a recipe and what it is fed: `model` and `input`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from foldwise.config.section import Part, Section, distinct


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


JoinName = Literal["concat", "mean", "max", "difference", "distance", "product"]


class SiameseConfig(Section):
    """One network with shared weights that sees each image of a sample."""

    join: Annotated[
        JoinName | Annotated[tuple[JoinName, ...], Field(min_length=1), AfterValidator(distinct)],
        Field(
            description="How the images' features become the sample's, or several ways side by "
            "side: concat, mean, max; of two images also difference, distance (absolute "
            "difference), product."
        ),
    ] = "concat"

    @property
    def joins(self) -> tuple[JoinName, ...]:
        """The ways by name."""
        return (self.join,) if isinstance(self.join, str) else self.join


class PrototypesConfig(Section):
    """The class prototypes that the head of formulation affinity is made of."""

    per_class: Annotated[
        int, Field(ge=1, le=64, description="Prototypes of each class; the nearest counts.")
    ] = 1
    sigma: Annotated[
        float,
        Field(gt=0, description="Squared distance to an embedding at which its similarity is 1/e."),
    ] = 1.0
    embedding: Annotated[
        int,
        Field(ge=2, le=4096, description="Axes of the embedding, of length 1, that they lie in."),
    ] = 64
    diversity: Annotated[
        float,
        Field(
            ge=0,
            description="Weight, beside the loss, of the term that spaces them equally.",
        ),
    ] = 1.0


class PresenceConfig(Section):
    """A head beside the masks that says which classes are in an image."""

    weight: Annotated[
        float, Field(gt=0, description="Weight of the head's own loss beside the masks'.")
    ] = 0.1


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
    siamese: Annotated[
        SiameseConfig | None,
        Field(
            description="Several images of a sample go through one network each, and their "
            "features are joined; null: they are stacked as channels."
        ),
    ] = None
    prototypes: Annotated[
        PrototypesConfig, Field(description="The prototypes of formulation affinity.")
    ] = PrototypesConfig()
    columns: Annotated[
        tuple[Part, ...],
        Field(
            description="Columns of train and test whose values join the features: `age`, or "
            "{name: site, kind: category}; kind: auto, number or category."
        ),
    ] = ()
    decoder: Annotated[
        Part | None,
        Field(
            description="Makes masks of the network's maps: unet, unetplusplus, fpn, "
            "deeplabv3plus, segformer, upernet, linknet, pan, manet; null: there are no masks, or "
            "a network of one's own gives them itself."
        ),
    ] = None
    presence: Annotated[
        PresenceConfig | None,
        Field(description="A head on the encoder's last map for which classes are there."),
    ] = None

    @model_validator(mode="after")
    def _has_maps_to_look_at(self) -> ModelConfig:
        if self.presence is not None and self.decoder is None:
            raise ValueError("presence stands beside a decoder; set decoder, or take presence out")
        return self


class FramesConfig(Section):
    """Neighbours of a row in its sequence."""

    before: Annotated[int, Field(ge=0, le=16, description="Frames before the row's own.")] = 1
    after: Annotated[int, Field(ge=0, le=16, description="Frames after it.")] = 1
    sequence: Annotated[
        tuple[str, ...],
        Field(
            description="Rows that are equal in all of these columns, of which columns.group "
            "names at least one, are a sequence; empty: columns.group."
        ),
    ] = ()

    @property
    def offsets(self) -> tuple[int, ...]:
        """Places of the frames from the row's own, in order."""
        return tuple(range(-self.before, self.after + 1))

    @model_validator(mode="after")
    def _has_neighbours(self) -> FramesConfig:
        if len(self.offsets) == 1:
            raise ValueError("before and after are 0; take frames out, or ask for a neighbour")
        return self


class TileConfig(Section):
    """Tiles in which a network of masks sees an image that is too large for it."""

    size: Annotated[int, Field(ge=32, le=4096, description="Side of a tile, in pixels.")]
    overlap: Annotated[
        float,
        Field(ge=0, le=0.9, description="Least share of a tile that the next one shows as well."),
    ] = 0.25


class InputConfig(Section):
    """What the network is fed."""

    size: Annotated[int, Field(ge=8, le=4096, description="Side of the input, in pixels.")] = 224
    zoom: Annotated[
        float, Field(ge=1, le=4, description="Cached size over input size; room for crops.")
    ] = 1.15
    fit: Annotated[
        Literal["stretch", "pad", "shorter_side", "native"],
        Field(
            description="How an image of another shape becomes square. native, for masks: it does "
            "not; windows of the original are trained on (mask_crop), and all of it is scored."
        ),
    ] = "stretch"
    tile: Annotated[
        TileConfig | None,
        Field(description="Of fit: native: scored in overlapping tiles; null: in one piece."),
    ] = None
    channels: Annotated[
        int, Field(ge=1, le=64, description="Channels of an image, of each where there are more.")
    ] = 3
    images: Annotated[
        tuple[str, ...],
        Field(
            description="Which images of a sample, by the names in images.columns or "
            "images.extensions; empty: all."
        ),
        AfterValidator(distinct),
    ] = ()
    frames: Annotated[
        FramesConfig | None,
        Field(description="Neighbouring frames, by columns.order, that go with a row's own."),
    ] = None
    draws: Annotated[
        Literal["shared", "independent"],
        Field(
            description="Augmentation of a sample's images. shared: the same draws for all, so "
            "that they still agree; independent: each has its own."
        ),
    ] = "shared"
    steps: Annotated[
        tuple[Part, ...], Field(description="Steps before resizing: crop_border, ben, grey.")
    ] = ()
    store: Annotated[
        Literal["auto", "raw", "jpeg", "none"],
        Field(description="How the cache keeps images; auto: raw if the disk allows."),
    ] = "auto"

    @model_validator(mode="after")
    def _native_fits(self) -> InputConfig:
        if self.tile is not None and self.fit != "native":
            raise ValueError(
                f"tile cuts images of their own size, and fit: {self.fit} gives them another; use "
                "fit: native, or take tile out"
            )
        if self.fit == "native" and self.store not in ("auto", "none"):
            raise ValueError(
                f"fit: native reads originals, and store: {self.store} would keep copies; use "
                "store: auto"
            )
        return self


#: What a second-level recipe has in a network's place; no network is called so.
NO_NETWORK = ModelConfig(name="none")
