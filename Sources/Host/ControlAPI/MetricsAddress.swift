// Where metrics are served.

import Linux

/// A Unix socket, or a TCP address.
public enum MetricsAddress: Sendable, Equatable, CustomStringConvertible {
    case unix(path: String)
    case tcp(SocketAddress)

    /// Parses "unix:/run/sallyport/metrics.sock", "127.0.0.1:9464" or "[::1]:9464"; nil for anything else.
    public init?(_ text: String) {
        if text.hasPrefix("unix:/") {
            self = .unix(path: String(text.dropFirst("unix:".count)))
        } else if let address = SocketAddress(text), address.port != 0 {
            self = .tcp(address)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let address): address.description
        }
    }
}
