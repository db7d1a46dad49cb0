// What HAProxy's configuration file tells that its runtime socket does not: which backend a frontend has, and which
// servers are sent PROXY headers. What the file leaves open stays unknown.

import SallyportProtocol

/// The sections of a configuration file. A value without I/O.
package struct BalancerConfiguration: Sendable, Equatable {
    package typealias ProxyProtocol = Sallyport_Plugin_V1_Backend.ProxyProtocol

    package enum Destination: Sendable, Equatable {
        /// No `default_backend`: a section `listen` has servers of its own.
        case own
        case backend(String)
        /// `use_backend` lines decide with each connection, or a variable.
        case open
    }

    package private(set) var frontends: [String: Destination] = [:]
    private var backends: [String: [String: ProxyProtocol]] = [:]

    /// Servers of all `server-template` lines together; more stay unknown.
    private static let maximumTemplates = 10_000

    package init(_ text: [UInt8]) throws(Malformed) {
        var reader = Reader()
        for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard let words = ConfigurationWords(line)?.words else { throw Malformed(reason: "has a quote without end in line \(index + 1)") }
            guard let keyword = words.first else { continue }
            guard let keyword else { throw Malformed(reason: "begins line \(index + 1) with a variable") }
            // Of its branches only HAProxy knows which holds.
            if keyword == ".if" { throw Malformed(reason: "has a condition in line \(index + 1)") }
            reader.read(keyword, words.dropFirst(), into: &self)
        }
        reader.end(&self)
    }

    package func proxyProtocol(of server: String, in backend: String) -> ProxyProtocol { backends[backend]?[server] ?? .unknown }

    /// Sections from top to bottom.
    private struct Reader {
        /// What a section passes on, and what it takes from the section `defaults` before it, or that it names.
        struct Defaults {
            var options = ServerOptions()
            var destination = Destination.own
        }

        private enum Kind { case defaults, frontend, listen, backend, other }

        private var defaults: [String: Defaults] = [:]
        private var latest = Defaults()
        private var kind = Kind.other
        private var name: String?
        private var section = Defaults()
        private var hasRules = false
        private var servers: [String: ProxyProtocol] = [:]
        private var templates = 0

        mutating func read(_ keyword: String, _ words: ArraySlice<String?>, into configuration: inout BalancerConfiguration) {
            switch keyword {
            case "defaults": begin(.defaults, words, &configuration)
            case "frontend": begin(.frontend, words, &configuration)
            case "listen": begin(.listen, words, &configuration)
            case "backend": begin(.backend, words, &configuration)
            // Some of these have lines `server` too.
            case "global", "peers", "resolvers", "userlist", "mailers", "cache", "program", "http-errors", "ring", "log-forward", "fcgi-app",
                "crt-store", "log-profile", "traces", "acme":
                begin(.other, words, &configuration)
            case "default-server": section.options.add(words)
            case "default_backend": section.destination = words.first.flatMap { $0 }.map(Destination.backend) ?? .open
            case "use_backend": hasRules = true
            // Its name and address come first.
            case "server": if let server = words.first.flatMap({ $0 }) { add(server, words.dropFirst(2)) }
            case "server-template": addTemplate(words)
            default: break
            }
        }

        mutating func end(_ configuration: inout BalancerConfiguration) {
            switch kind {
            case .defaults:
                latest = section
                if let name { defaults[name] = section }
            case .frontend, .listen: if let name { configuration.frontends[name] = hasRules ? .open : section.destination }
            case .backend, .other: break
            }
            if kind == .backend || kind == .listen, let name { configuration.backends[name] = servers }
        }

        private mutating func begin(_ new: Kind, _ words: ArraySlice<String?>, _ configuration: inout BalancerConfiguration) {
            end(&configuration)
            (kind, hasRules, servers) = (new, false, [:])
            name = words.first.flatMap { $0 }
            // "defaults", "defaults NAME", "backend NAME from DEFAULTS"
            guard let from = words.firstIndex(of: "from"), from > words.startIndex || new == .defaults else {
                section = new == .defaults ? Defaults() : latest
                return
            }
            if from == words.startIndex { name = nil }
            if let base = words[(from + 1)...].first.flatMap({ $0 }), let known = defaults[base] {
                section = known
            } else {
                section = Defaults(destination: .open)
                section.options.add([nil])
            }
        }

        private mutating func add(_ server: String, _ words: ArraySlice<String?>) {
            var options = section.options
            options.add(words)
            // HAProxy tells two servers of one name apart by their order alone.
            servers[server] = servers[server] == nil ? options.proxyProtocol : .unknown
        }

        /// `server-template PREFIX 3 ADDRESS …`, or `2-4`.
        private mutating func addTemplate(_ words: ArraySlice<String?>) {
            let words = Array(words)
            guard words.count > 1, let prefix = words[0], let numbers = words[1] else { return }
            let bounds = numbers.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard bounds.count <= 2, let last = bounds.last.flatMap({ $0 }), let first = bounds.count == 2 ? bounds[0] : 1,
                first > 0, first <= last, last - first < BalancerConfiguration.maximumTemplates - templates
            else { return }
            templates += last - first + 1
            for number in first...last { add("\(prefix)\(number)", words.dropFirst(3)) }
        }
    }
}
