// Reads sallyportd.yaml, as strictly as drop-ins and documents: a misspelt setting is found when it is made
// and not when it matters.

import ControlAPI
import DataPath
import FlowLog
import Logging
import PolicyDocuments

extension DaemonConfiguration {
    /// Takes what a file sets; what it does not name keeps its value.
    /// - Throws: `SettingsProblems` with every problem and its place; nothing is changed then.
    public mutating func read(_ bytes: [UInt8], file: String) throws {
        self = try decodeSettings(bytes, file: file, as: .settings(of: self)).get()
    }
}

extension Form where Value == DaemonConfiguration {
    fileprivate static func settings(of configuration: DaemonConfiguration) -> Form {
        .mapping(
            [
                Field("enforcer", \.enforcer, .text("the node's name"), .optional("the host's name")),
                Field("workers", \.workers, .number(1...1024), .optional("the number of processors")),
                Field("trustDomain", \.trustDomain, .text("a trust domain"), .optional("the TLS provider's")),
                Field("stateDirectory", \.stateDirectory, .path),
                Field("redirection", \.redirection, .word(["steering": .steering, "nat": .nat])),
                Field("logLevel", \.logLevel, level, .optional("info")),
                Field("socket", \.socket, socket),
                Field("plugins", \.plugins, plugins),
                Field("flowLog", \.flowLog, flowLog(of: configuration.flowLog)),
                Field("limits", \.limits, limits),
                Field("timeouts", \.timeouts, timeouts),
                Field("tls", \.tls, tls),
                Field("metrics", \.metrics, metrics),
            ], initial: configuration)
    }

    private static let socket = Form<DaemonConfiguration.Socket>.mapping(
        [Field("path", \.path, .path), Field("group", \.group, Form<String>.text("the name of a group").orNone)], initial: .init())

    private static let plugins = Form<DaemonConfiguration.Plugins>.mapping(
        [Field("dropIns", \.dropIns, .path), Field("directory", \.directory, .path), Field("runner", \.runner, .path)], initial: .init())

    private static func flowLog(of configuration: FlowLogConfiguration) -> Form<FlowLogConfiguration> {
        .mapping(
            [
                Field("path", \.path, Form<String>.path.orNone),
                Field("maximumBytes", \.maximumBytes, .number(4096...1 << 40)),
                Field("rotatedFiles", \.rotatedFiles, .number(0...1000)),
                Field("memoryRecords", \.memoryRecords, .number(0...1_000_000)),
            ], initial: configuration)
    }

    private static let limits = Form<DaemonConfiguration.Limits>.mapping(
        [Field("maxConnections", \.maxConnections, .number(1...10_000_000))], initial: .init())

    private static let timeouts = Form<DataPathConfiguration.Timeouts>.mapping(
        [
            Field("handshake", \.handshake, .duration), Field("dial", \.dial, .duration), Field("halfClosed", \.halfClosed, .duration),
            Field("drain", \.drain, .duration), Field("lasting", \.lasting, .duration), Field("proxyHeader", \.proxyHeader, .duration),
        ], initial: .init())

    private static let tls = Form<DaemonConfiguration.TLS>.mapping(
        [
            Field("resumption", \.resumption, .flag),
            Field("publicEngine", \.publicEngine, .word(["boringssl": .boringSSL, "openssl": .openSSL])),
        ], initial: .init())

    private static let level: Form<Logger.Level> = {
        let expected = "one of " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        return Form<Logger.Level>(expected, simple: { node throws(WrongType) in
            guard let level = Logger.Level(rawValue: try node.text(expected)) else { throw node.mismatch(expected) }
            return level
        })
    }()

    private static let metricsAddress: Form<MetricsAddress?> = {
        let expected = "unix:PATH or ADDRESS:PORT"
        return Form<MetricsAddress?>(expected, simple: { node throws(WrongType) in
            guard let address = MetricsAddress(try node.text(expected)) else { throw node.mismatch(expected) }
            return address
        })
    }()

    private static let metrics = Form<DaemonConfiguration.Metrics>.mapping([Field("address", \.address, metricsAddress)], initial: .init())
}

extension Form where Value == String {
    fileprivate static var path: Form {
        let expected = "an absolute path"
        return Form(expected, simple: { node throws(WrongType) in
            let path = try node.text(expected)
            if !path.hasPrefix("/") { throw node.mismatch(expected) }
            return path
        })
    }
}

extension Form where Value == Int {
    fileprivate static func number(_ range: ClosedRange<Int>) -> Form {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return Form(expected, simple: { node throws(WrongType) in try node.integer(expected, in: range) })
    }
}

extension Form where Value == Duration {
    fileprivate static var duration: Form {
        let expected = "a time such as 500ms, 10s, 5m or 1h"
        return Form(expected, simple: { node throws(WrongType) in
            let text = try node.text(expected)
            let digits = text.prefix { $0.isASCII && $0.isNumber }
            let units: [Substring: Duration] = ["ms": .milliseconds(1), "s": .seconds(1), "m": .seconds(60), "h": .seconds(3600)]
            guard let count = Int(digits), (1...1_000_000).contains(count), let unit = units[text.dropFirst(digits.count)] else {
                throw node.mismatch(expected)
            }
            return unit * count
        })
    }
}
