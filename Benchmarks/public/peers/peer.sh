# Sourced by the peers in this folder. A peer is called as `PEER prepare|start|version`, in the node's network namespace
# for start, with this environment:
#   W         folder of this start, empty at prepare
#   ADDRESS   the node's address; clients dial it at PORT, from OUTSIDE
#   APPLICATION  address:port of the server behind
#   MODE      tls: TLS ends here, with CERTIFICATE and KEY (files, PEM); none: bytes pass as they are
#   HEADER    1: a PROXY header of version 2 comes first on every connection, and is required
#   BULK      1: long transfers are what comes
# and defines prepare (writes its configuration into W), serve (becomes the proxy, in the foreground) and version (one line).
set -euo pipefail

main() {
  case ${1:-} in
    prepare | version) "$1" ;;
    start) ulimit -n "$(ulimit -Hn)"; serve ;;
    *) echo "usage: $0 prepare|start|version" >&2; exit 2 ;;
  esac
}
