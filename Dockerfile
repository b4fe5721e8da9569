# An image with a release of Meno. It adds 0.44 GB to its base, and contains neither compilers nor Python.
#
#   scripts/release                       makes dist/ (or download a release into it)
#   docker build -t meno .
#   docker run --rm -it -v meno:/data meno demo
#
# BASE needs the glibc that scripts/release prints, or a newer one.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS unpack
SHELL ["/bin/sh", "-eu", "-c"]
# hadolint ignore=DL3008
RUN command -v xz >/dev/null || \
    { apt-get update && apt-get install -y --no-install-recommends xz-utils; }
COPY dist/ /dist/
RUN sh /dist/install.sh --prefix /opt/meno

# hadolint ignore=DL3006
FROM ${BASE}
# libstdc++ is all that libtorch takes from the system; certificates are needed to download models.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates libstdc++6 && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --create-home --uid 1000 meno && \
    install -d -o meno -g meno /data
COPY --from=unpack /opt/meno /opt/meno
ENV PATH=/opt/meno/bin:$PATH \
    MENO_CACHE=/data/cache \
    HF_HOME=/data/huggingface
USER 1000
WORKDIR /data
VOLUME /data
ENTRYPOINT ["meno"]
CMD ["--help"]
