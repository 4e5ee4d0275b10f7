#!/bin/sh
# Without this sloppiness ccache keeps nothing that is compiled with a precompiled header.
CCACHE_SLOPPINESS=pch_defines,time_macros exec ccache "$@"
