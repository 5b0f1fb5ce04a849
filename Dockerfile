# ctr-pipeline, ctr-producer and ctr-verify in one small image (amd64, arm64): no shell, no package manager, not root.
# Builder and runtime are the same Debian release, so that they have the same C library.
# Nothing here depends on one builder: BuildKit and the engine's older one build the same image, without additional images.
ARG RUST_TAG=1.95-bookworm
ARG RUNTIME_TAG=nonroot

# The workspace with empty sources: its contents change with the dependencies, not with our code.
FROM rust:${RUST_TAG} AS manifests
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN find crates -type f ! -name Cargo.toml ! -name lib.rs ! -name main.rs ! -path '*/src/bin/*.rs' ! -path '*/benches/*.rs' -delete \
    && find crates -type d -empty -delete \
    && echo 'fn main() {}' >/empty.rs \
    && find crates -name '*.rs' -exec cp /empty.rs {} ';'

# Includes the OpenSSL headers (TLS to Kafka and ClickHouse), which the slim variants lack; the runtime below has the library.
FROM rust:${RUST_TAG} AS build
WORKDIR /src
# A separate layer: dependencies are recompiled only when they change.
COPY --from=manifests /src ./
RUN cargo build --release --locked --bin ctr-pipeline --bin ctr-producer --bin ctr-verify
COPY crates crates
# Our code only. Sources are as old as the checkout, and cargo compares modification times. Debug information (most of the size) is
# stripped; the names in backtraces are kept.
RUN find crates -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bin ctr-pipeline --bin ctr-producer --bin ctr-verify \
    && install -d /out/bin /out/logs \
    && for name in ctr-pipeline ctr-producer ctr-verify; do \
        strip --strip-debug -o "/out/bin/$name" "target/release/$name" && "/out/bin/$name" --version || exit 1; \
    done
COPY config/application.yml /src/config/
RUN install -D -m 0644 config/application.yml /out/work/config/application.yml

FROM gcr.io/distroless/cc-debian12:${RUNTIME_TAG}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ctr-pipeline" \
      org.opencontainers.image.description="Real-time click-through rates: Kafka in, event-time windows, ClickHouse out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build /out/bin/ /usr/local/bin/
# The log folder belongs to the user who writes it; an empty volume mounted there inherits the owner.
COPY --from=build --chown=65532:65532 /out/logs /var/log/ctr-pipeline
COPY --from=build /out/work /opt/ctr-pipeline
WORKDIR /opt/ctr-pipeline
ENV STATUS_HOST=0.0.0.0 \
    LOGGING_DIRECTORY=/var/log/ctr-pipeline \
    TZ=UTC
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/ctr-pipeline"]
CMD ["run"]
