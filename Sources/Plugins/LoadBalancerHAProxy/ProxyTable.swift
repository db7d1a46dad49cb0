// What "show stat" tells of HAProxy's frontends and backends.

import Linux
import SallyportProtocol

/// HAProxy's proxies at one moment. A value without I/O.
package struct ProxyTable: Sendable, Equatable {
    package struct Frontend: Sendable, Equatable {
        /// A section `listen` is a frontend and a backend with one number.
        package var id = ""
        /// "OPEN", or why it takes no connections.
        package var status = ""
        /// Where it listens; only with `option socket-stats`.
        package var listeners: [SocketAddress] = []
    }

    package struct Backend: Sendable, Equatable {
        package var id = ""
        /// "UP", "DOWN"
        package var status = ""
        package var servers: [Sallyport_Plugin_V1_Backend] = []
    }

    package private(set) var frontends: [String: Frontend] = [:]
    package private(set) var backends: [String: Backend] = [:]

    private static let columns = ["pxname", "svname", "status", "type", "iid", "bck", "tracked", "check_status", "last_chk", "addr"]

    /// - Parameter answer: To "show stat", in full.
    package init(_ answer: [UInt8]) throws(Malformed) {
        for row in try StatisticsTable(answer, columns: ProxyTable.columns).rows {
            let line = Line(row)
            switch line.type {
            case "0":
                frontends[line.proxy, default: Frontend()].id = line.id
                frontends[line.proxy]?.status = line.status
            case "1":
                backends[line.proxy, default: Backend()].id = line.id
                backends[line.proxy]?.status = line.status
            case "2": backends[line.proxy, default: Backend()].servers.append(line.server)
            case "3":
                // "unix" where it is no address.
                if let address = SocketAddress(line.address) { frontends[line.proxy, default: Frontend()].listeners.append(address) }
            default: throw Malformed(reason: "has a line of the unknown type \"\(printable(line.type))\"")
            }
        }
    }

    private struct Line {
        let proxy, name, status, type, id, address: String
        private let isBackup: Bool
        private let tracked, check, reason: String

        /// - Parameter values: Of `columns`.
        init(_ values: [String]) {
            (proxy, name, status, type, id) = (values[0], values[1], values[2], values[3], values[4])
            (isBackup, tracked, check, reason, address) = (values[5] == "1", values[6], values[7], values[8], values[9])
        }

        /// What HAProxy calls it and says of it. It does not say whether it sends a PROXY header.
        var server: Sallyport_Plugin_V1_Backend {
            .with {
                $0.name = printable("\(proxy)/\(name)")
                if let address = SocketAddress(address) {
                    $0.address = .init(address.address.bytes)
                    $0.port = UInt32(address.port)
                }
                $0.state = state
                $0.detail = detail
            }
        }

        /// The words are those of HAProxy's stats.c, each with more behind it: "UP 1/2", "MAINT (via web/up)".
        private var state: Sallyport_Plugin_V1_Backend.State {
            switch status.prefix(while: { $0 != " " }) {
            case "UP": .up
            case "DOWN": .down
            case "MAINT", "DRAIN", "NOLB": .outOfService
            default: .unknown  // "no check" among them: HAProxy sends it connections, and does not know whether they arrive
            }
        }

        /// "DOWN, L4CON: Connection refused". Without how long the check took, which is another time each time.
        private var detail: String {
            // A star says that a check is under way.
            let check = self.check.hasPrefix("* ") ? String(self.check.dropFirst(2)) : self.check
            var text = status
            if !check.isEmpty { text += ", \(check)" }
            if !check.isEmpty && !reason.isEmpty { text += ": \(reason)" }
            if !tracked.isEmpty { text += ", as \(tracked)" }
            if isBackup { text += ", backup" }
            // The reason may be a server's own text.
            return printable(text)
        }
    }
}
