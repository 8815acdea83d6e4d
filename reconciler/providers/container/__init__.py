"""The container backend: services as containers of a Docker Engine or of Podman, over the Docker Engine API."""
