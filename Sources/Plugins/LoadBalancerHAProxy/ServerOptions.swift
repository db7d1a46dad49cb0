// Whether HAProxy sends a server PROXY headers, by the options of its line (configuration.txt, section 5.2).

import SallyportProtocol

/// The options of a `server` or `default-server` line that matter here. A value without I/O.
struct ServerOptions: Sendable, Equatable {
    private var isV1 = false
    private var isV2 = false
    private var isKnown = true

    /// What a line adds to the options that hold before it; nil is an option that is not known.
    mutating func add(_ options: some Sequence<String?>) {
        for option in options {
            switch option {
            case nil: isKnown = false
            case "send-proxy": isV1 = true
            case "no-send-proxy": isV1 = false
            case "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn": isV2 = true
            case "no-send-proxy-v2", "no-send-proxy-v2-ssl", "no-send-proxy-v2-ssl-cn": isV2 = false
            default: break
            }
        }
    }

    /// With both HAProxy sends version 2 (connection.c, `make_proxy_line`).
    var proxyProtocol: Sallyport_Plugin_V1_Backend.ProxyProtocol {
        if !isKnown { return .unknown }
        return isV2 ? .v2 : isV1 ? .v1 : .none
    }
}
