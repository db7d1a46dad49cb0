// One round of questions to HAProxy, and what came of it.

import Linux

/// All that is known of an HAProxy at one moment.
package struct Snapshot: Sendable, Equatable {
    package var proxies: ProxyTable
    package var listeners: ListenerTable
    package var process: ProcessFacts
    /// nil unless the settings name one.
    package var file: ConfigurationFile?

    package init(proxies: ProxyTable, listeners: ListenerTable, process: ProcessFacts, file: ConfigurationFile? = nil) {
        self.proxies = proxies
        self.listeners = listeners
        self.process = process
        self.file = file
    }

    /// The frontends that listen on a port.
    func frontends(on port: UInt32) -> [String] {
        guard let port = UInt16(exactly: port) else { return [] }
        let told = proxies.frontends.filter { $0.value.listeners.contains { $0.port == port } }.keys
        // Its own sockets count as frontends of a proxy that "show stat" does not have.
        return (listeners.frontends[port] ?? []).filter { proxies.frontends[$0] != nil }.union(told).sorted()
    }
}

extension RuntimeSocket {
    /// Asks for everything; blocks for four answers at most.
    /// - Parameters:
    ///   - configuration: HAProxy's configuration file; nil to do without.
    ///   - earlier: What was known of the same socket. "show fd" halts HAProxy's threads for each of its descriptors, and
    ///     no process changes where it listens: it is asked for once a process.
    package func survey(configuration: String? = nil, after earlier: Snapshot?) throws(SurveyFailed) -> Snapshot {
        let process = try read("show info") { (answer) throws(Malformed) in try ProcessFacts(answer) }
        guard process.isSupported else {
            throw SurveyFailed("HAProxy on \(address) is version \(process.version), and this plugin reads 2.6 and later: install a later one")
        }
        let level = String(decoding: try ask("show cli level").prefix { $0 != 10 }, as: UTF8.self)
        guard level == "operator" || level == "admin" else {
            throw SurveyFailed(
                "HAProxy on \(address) lets this user see no addresses (level \"\(printable(String(level.prefix(20))))\"): write `level operator` behind its `stats socket \(address)`")
        }
        let proxies = try read("show stat") { (answer) throws(Malformed) in try ProxyTable(answer) }
        let listeners: ListenerTable
        if let earlier, earlier.process == process {
            listeners = earlier.listeners
        } else {
            listeners = try read("show fd", acceptsBeginning: true) { (answer) throws(Malformed) in try ListenerTable(answer) }
        }
        let file = configuration.map { ConfigurationFile($0, after: earlier?.file, start: process.start) }
        return Snapshot(proxies: proxies, listeners: listeners, process: process, file: file)
    }

    private func read<Value>(
        _ command: String, acceptsBeginning: Bool = false, _ parse: ([UInt8]) throws(Malformed) -> Value
    ) throws(SurveyFailed) -> Value {
        let answer = try ask(command, acceptsBeginning: acceptsBeginning)
        do throws(Malformed) {
            return try parse(answer)
        } catch {
            let what = answer.isEmpty ? "nothing" : "what is not HAProxy's: it \(error.reason)"
            throw SurveyFailed("\(address) answers \"\(command)\" with \(what); set `socket` to HAProxy's stats socket")
        }
    }
}
