# Sallyport: see README.md. `make demo` and `make test` do all the set-up on Debian 12 with Swift 6.3.
SWIFT ?= swift
CONFIGURATION ?= release

.PHONY: all packages build demo install test generate clean

all: build

packages:
	scripts/packages

build: packages
	$(SWIFT) build -c $(CONFIGURATION)

demo: build
	scripts/demo

install:
	scripts/install

test: packages
	scripts/test

generate:
	scripts/generate

clean:
	$(SWIFT) package clean
