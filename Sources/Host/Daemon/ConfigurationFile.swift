// Reads sallyportd.yaml: strictly, so that a misspelt setting is found when it is made and not when it matters.

import DataPath
import FlowLog
import Yams

/// Something wrong with the configuration file, and where.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public let file: String
    /// From 1; 0 for the file as a whole.
    public let line: Int
    public let message: String

    public var description: String { line > 0 ? "\(file):\(line): \(message)" : "\(file): \(message)" }
}

extension DaemonConfiguration {
    /// Takes what a file sets; what it does not name keeps its value.
    /// - Throws: `ConfigurationError` for the first thing wrong; nothing is changed then.
    public mutating func read(_ text: String, file: String) throws(ConfigurationError) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw ConfigurationError(file: file, line: 0, message: "not YAML: \(error)")
        }
        guard let root, root.null == nil else { return }
        var changed = self
        let reader = ConfigurationReader(file: file)
        try reader.each(root, "") { (key, value) throws(ConfigurationError) in
            switch key {
            case "enforcer": changed.enforcer = try reader.text(value, key)
            case "workers": changed.workers = try reader.number(value, key, 1...1024)
            case "trustDomain": changed.trustDomain = try reader.text(value, key)
            case "stateDirectory": changed.stateDirectory = try reader.path(value, key)
            case "logLevel": changed.logLevel = try reader.choice(value, key, ["trace", "debug", "info", "notice", "warning", "error", "critical"])
            case "socket": try reader.socket(value, &changed)
            case "plugins": try reader.plugins(value, &changed)
            case "flowLog": try reader.flowLog(value, &changed)
            case "limits": try reader.limits(value, &changed)
            case "timeouts": try reader.timeouts(value, &changed)
            case "tls": try reader.tls(value, &changed)
            case "metrics": try reader.metrics(value, &changed)
            default: throw reader.unknown(value, key)
            }
        }
        self = changed
    }
}

/// Takes settings of one type each out of YAML nodes, or says what would be right.
private struct ConfigurationReader {
    let file: String

    func error(_ node: Node, _ message: String) -> ConfigurationError {
        ConfigurationError(file: file, line: node.mark?.line ?? 0, message: message)
    }

    func unknown(_ node: Node, _ key: String) -> ConfigurationError {
        error(node, "unknown setting \(key); docs/operations.md lists the settings")
    }

    func each(
        _ node: Node, _ path: String, _ body: (String, Node) throws(ConfigurationError) -> Void
    ) throws(ConfigurationError) {
        guard let mapping = node.mapping else { throw error(node, "\(path.isEmpty ? "the file" : path) must be a mapping") }
        var seen: Set<String> = []
        for (key, value) in mapping {
            let name = (path.isEmpty ? "" : "\(path).") + (key.string ?? "")
            if !seen.insert(name).inserted { throw error(key, "\(name) is set twice") }
            try body(name, value)
        }
    }

    func text(_ node: Node, _ key: String) throws(ConfigurationError) -> String {
        guard let text = node.scalar?.string, !text.isEmpty else { throw error(node, "\(key) must be a text") }
        return text
    }

    func path(_ node: Node, _ key: String) throws(ConfigurationError) -> String {
        let path = try text(node, key)
        if !path.hasPrefix("/") { throw error(node, "\(key) must be an absolute path, not \(path)") }
        return path
    }

    func number(_ node: Node, _ key: String, _ range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        guard let number = node.int, range.contains(number) else {
            throw error(node, "\(key) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func choice(_ node: Node, _ key: String, _ choices: [String]) throws(ConfigurationError) -> String {
        let text = try text(node, key)
        if !choices.contains(text) { throw error(node, "\(key) must be one of \(choices.joined(separator: ", "))") }
        return text
    }

    /// "10s", "500ms", "5m", "1h".
    func duration(_ node: Node, _ key: String) throws(ConfigurationError) -> Duration {
        let text = try text(node, key)
        let digits = text.prefix { $0.isNumber }
        let units: [String: Duration] = ["ms": .milliseconds(1), "s": .seconds(1), "m": .seconds(60), "h": .seconds(3600)]
        guard let count = Int(digits), count > 0, count <= 1_000_000, let unit = units[String(text.dropFirst(digits.count))] else {
            throw error(node, "\(key) must be a time such as 500ms, 10s, 5m or 1h")
        }
        return unit * count
    }

    func socket(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "socket") { (key, value) throws(ConfigurationError) in
            switch key {
            case "socket.path": configuration.socket = try path(value, key)
            case "socket.group": configuration.socketGroup = try text(value, key)
            default: throw unknown(value, key)
            }
        }
    }

    func plugins(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "plugins") { (key, value) throws(ConfigurationError) in
            switch key {
            case "plugins.dropIns": configuration.dropInDirectory = try path(value, key)
            case "plugins.directory": configuration.pluginDirectory = try path(value, key)
            case "plugins.runner": configuration.runner = try path(value, key)
            default: throw unknown(value, key)
            }
        }
    }

    func flowLog(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "flowLog") { (key, value) throws(ConfigurationError) in
            switch key {
            case "flowLog.path": configuration.flowLog.path = try path(value, key)
            case "flowLog.maximumBytes": configuration.flowLog.maximumBytes = try number(value, key, 4096...Int(Int32.max) * 64)
            case "flowLog.rotatedFiles": configuration.flowLog.rotatedFiles = try number(value, key, 0...1000)
            case "flowLog.memoryRecords": configuration.flowLog.memoryRecords = try number(value, key, 0...1_000_000)
            default: throw unknown(value, key)
            }
        }
    }

    func limits(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "limits") { (key, value) throws(ConfigurationError) in
            switch key {
            case "limits.maxConnections": configuration.maximumConnections = try number(value, key, 1...10_000_000)
            default: throw unknown(value, key)
            }
        }
    }

    func timeouts(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "timeouts") { (key, value) throws(ConfigurationError) in
            let time = try duration(value, key)
            switch key {
            case "timeouts.handshake": configuration.timeouts.handshake = time
            case "timeouts.dial": configuration.timeouts.dial = time
            case "timeouts.halfClosed": configuration.timeouts.halfClosed = time
            case "timeouts.drain": configuration.timeouts.drain = time
            case "timeouts.lasting": configuration.timeouts.lasting = time
            default: throw unknown(value, key)
            }
        }
    }

    func tls(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "tls") { (key, value) throws(ConfigurationError) in
            switch key {
            case "tls.resumption":
                guard let resumption = value.bool else { throw error(value, "\(key) must be true or false") }
                configuration.resumption = resumption
            default: throw unknown(value, key)
            }
        }
    }

    func metrics(_ node: Node, _ configuration: inout DaemonConfiguration) throws(ConfigurationError) {
        try each(node, "metrics") { (key, value) throws(ConfigurationError) in
            switch key {
            case "metrics.address": configuration.metricsAddress = try text(value, key)
            default: throw unknown(value, key)
            }
        }
    }
}
