# docker build -t larder . && docker run -p 8480:8480 -v larder:/var/lib/larder larder
# With hash equivalence: -p 8686:8686 -e LARDER_LISTEN_HASHSERV='*:8686'
# With FTP: -p 8421:8421 -p 8500-8599:8500-8599 -e LARDER_LISTEN_FTP='*:8421 as ADDRESS-OF-THIS-MACHINE'
FROM debian:12 AS build
COPY . /src
WORKDIR /src
RUN ./dev deps build \
 && cmake --preset release -DCMAKE_INSTALL_PREFIX=/usr -DLARDER_TESTS=OFF -DLARDER_BENCH=OFF \
 && ./dev build release larder larderd \
 && DESTDIR=/stage cmake --install build/release --strip

FROM debian:12-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libarchive13 libboost-json1.81.0 libcurl4 librocksdb7.8 libspdlog1.10 libssl3 libsystemd0 libyaml-cpp0.7 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --user-group --no-create-home --home-dir /var/lib/larder --shell /usr/sbin/nologin larder \
 && install -d -o larder -g larder /var/lib/larder
COPY --from=build /stage /
USER larder
VOLUME /var/lib/larder
EXPOSE 8480 8421 8500-8599 8686
ENV LARDER_FTP_PASSIVE_PORTS=8500-8599
# What the client inside the container talks to.
ENV LARDER_SERVER=http://127.0.0.1:8480
# Without the client, whose figures are not for everybody where access.status says so. At the port of
# LARDER_SERVER; by https it cannot be asked: --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/${LARDER_SERVER##*:} && printf 'GET /-/health HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]
ENTRYPOINT ["larderd", "--config", "/etc/larder/larderd.yaml"]
