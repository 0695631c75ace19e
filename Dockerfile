# Builds the gateway from the sources, then keeps the program alone.
FROM rust:1.95-bookworm AS build
WORKDIR /src
# The checked SQL of .sqlx/ stands in for a database.
ENV SQLX_OFFLINE=true
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# Anam and issuers are asked over TLS, which is checked against the system's certificates.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin gateway \
    && install --directory --owner=10001 --group=10001 /var/lib/persona-gateway
COPY --from=build /src/target/release/persona-gateway /usr/local/bin/persona-gateway
USER 10001:10001
# /healthz, /readyz and /metrics: reachable from other containers, never to be published to the internet.
ENV GATEWAY__SERVER__OPS_HOST=0.0.0.0
EXPOSE 8080 9090
ENTRYPOINT ["persona-gateway"]
CMD ["serve"]
