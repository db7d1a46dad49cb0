// Where metrics are served.

import Linux

/// A Unix socket, or a TCP address.
public enum MetricsAddress: Sendable, Equatable, CustomStringConvertible {
    case unix(path: String)
    case tcp(SocketAddress)

    /// Parses "/run/sallyport/metrics.sock", "127.0.0.1:9464" or "[::1]:9464"; nil for anything else.
    public init?(_ text: String) {
        if text.first == "/" {
            self = .unix(path: text)
        } else if let address = SocketAddress(text), address.port != 0 {
            self = .tcp(address)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .unix(let path): path
        case .tcp(let address): address.description
        }
    }
}
