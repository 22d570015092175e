#!/bin/sh
# slim.sh SITE_PACKAGES - removes what no command of `edge` opens. tests/docker runs both images afterwards.
set -eu
cd "$1"

# Tests, type stubs, C and Cython sources, headers.
find . -depth -type d -name tests -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.hpp' \
  -o -name '*.cc' -o -name '*.a' \) -delete
rm -rf numpy/_core/include tensorflow/include

# LiteRT beside its interpreter: the GPU accelerator, the compilers for phones' NPUs, and the library under both.
rm -rf ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/libLiteRt.so \
  ai_edge_litert/vendors ai_edge_litert/tools/apply_plugin_main

# What TensorFlow asks for to build extensions and wheels, not to run a model.
rm -rf clang libclang-*.dist-info wheel wheel-*.dist-info

# Colours for listings of source code, which `rich` imports for nothing that is shown here.
rm -rf pygments pygments-*.dist-info

# Symbols that only a debugger reads. The libraries in *.libs were already rewritten by auditwheel and stay as they are.
find . -type f \( -name '*.so' -o -name '*.so.[0-9]*' \) ! -path '*.libs/*' -exec strip --strip-unneeded {} +

# What was removed leaves bytecode behind.
find . -type d -name __pycache__ | while read -r cache; do
  for compiled in "$cache"/*.pyc; do
    source=$(dirname "$cache")/$(basename "$compiled" | cut -d. -f1).py
    [ -e "$source" ] || rm -f "$compiled"
  done
done
