"""Words by which organisers call columns, folders and files of masks."""

#: Columns of runs.
RUNS_WORDS = ("rle", "runs", "encoded", "pixels", "mask", "masks", "segmentation")
#: Columns of mask images and their folders.
IMAGE_WORDS = (
    *("mask", "masks", "label", "labels", "annotation", "annotations", "segmentation"),
    *("segmentations", "seg", "gt", "truth", "groundtruth", "annot", "labelmap", "trimap"),
)
