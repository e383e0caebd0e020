# Nearlite's server in a container: one static binary, no shell, no root, and a root
# file system that nothing needs to write to. The databases are in the volume /data.
#
#     docker build -t nearlite .
#     docker run --read-only -v data:/data -v ./keys.pem:/keys.pem:ro -p 8080:8080 nearlite --keys /keys.pem
#
# Without keys it says so and ends: a container's port is open to others. docs/OPERATE.md.
# cmd/nearlite/container_linux_test.go does what is written here, without an engine.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build GO_LDFLAGS="-s -w -linkmode external -extldflags -static"
RUN mkdir empty

FROM scratch
COPY --from=build /src/bin/nearlite /nearlite
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Owned by its user, and so is a new volume mounted over it.
COPY --from=build --chown=65532:65532 /src/empty /data
USER 65532:65532
# What SQLite sorts beyond its memory goes where there is room.
ENV NEARLITE_LISTEN=0.0.0.0:8080 SQLITE_TMPDIR=/data
VOLUME /data
EXPOSE 8080
# SIGTERM drains; docker stop sends it, and gives ten seconds.
ENTRYPOINT ["/nearlite", "serve", "/data"]
