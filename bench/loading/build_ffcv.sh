#!/bin/sh
# Builds FFCV into the environment of a Python, with what it links against beside it: Debian's
# OpenCV and libjpeg-turbo, unpacked and not installed. As in:
#   bench/loading/build_ffcv.sh bench/.env/loading/bin/python
set -eu
python=$(realpath -s "$1")
uv=$(realpath -s "${UV:-.venv/bin/uv}")
native=$(dirname "$(dirname "$python")")/native
mkdir -p "$native/packages" "$native/pc"
cd "$native/packages"
apt-get download libopencv-core-dev libopencv-imgproc-dev libopencv-core406 libopencv-imgproc406 \
    libturbojpeg0-dev libturbojpeg0 libtbb12 libtbbbind-2-5 libtbbmalloc2 \
    liblapack3 libblas3 libgfortran5
for package in *.deb; do dpkg-deb -x "$package" "$native"; done
libraries=$native/usr/lib/x86_64-linux-gnu
cp "$libraries/lapack/liblapack.so.3" "$libraries/blas/libblas.so.3" "$libraries/"
# FFCV resizes and nothing else, but includes all of OpenCV.
sed -i -E '/#include "opencv2\/(core|imgproc|opencv_modules)\.hpp"/!{/#include "opencv2\/[a-z0-9_]+\.hpp"/d}' \
    "$native/usr/include/opencv4/opencv2/opencv.hpp"
describe() {
    printf 'Name: %s\nDescription: unpacked\nVersion: 1\nLibs: -L%s %s\nCflags: -I%s\n' \
        "$1" "$libraries" "$2" "$3" > "$native/pc/$1.pc"
}
describe opencv4 "-lopencv_imgproc -lopencv_core" "$native/usr/include/opencv4"
describe libturbojpeg "-lturbojpeg" "$native/usr/include"
# The old kind of search path, which also holds for the libraries of the libraries.
PKG_CONFIG_PATH=$native/pc CFLAGS=-O3 LD_RUN_PATH=$libraries LDFLAGS=-Wl,--disable-new-dtags \
    "$uv" pip install --quiet --python "$python" --no-deps --no-cache ffcv==1.0.2
"$uv" pip install --quiet --python "$python" assertpy fastargs numba opencv-python-headless psutil \
    pytorch_pfn_extras terminaltables tqdm
"$python" -c 'import ffcv.loader; print("FFCV is built")'
