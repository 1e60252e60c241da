# Where the packages are that the library needs, and where Bazel is installed.
VENV ?= .venv
CACHE ?= /var/tmp/limit_tf_bazel

.PHONY: bazel
bazel:
	VENV="$(VENV)" CACHE="$(CACHE)" tools/bazel/run.sh test //...
