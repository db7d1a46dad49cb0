// How a plugin stands: from what happened to it to the one state an operator sees (docs/plugin-abi.md §8).

import SallyportProtocol

/// A value without I/O, changed by what happens to a plugin.
struct Standing: Sendable, Equatable {
    typealias State = Sallyport_Control_V1_PluginStatus.State

    enum Phase: Sendable, Equatable {
        case starting
        /// Configured, its watches open.
        case serving
        case backoff(String)
        case failed(String)
        case disabled
    }

    /// The streams whose first data makes a plugin ready.
    enum Watch: String, Sendable {
        case policy = "policy"
        case trust = "trust bundle"
        case frontends = "frontends"
        case certificates = "certificates of public ports"
    }

    /// Something that is wrong with a plugin that works.
    enum Trouble: Hashable, Sendable, Comparable {
        case configuration
        case health
        case watch(String)
        case call(String)
    }

    private(set) var phase = Phase.starting
    private(set) var troubles: [Trouble: String] = [:]
    private(set) var awaited: Set<Watch> = []
    /// All its data was here once: what is missing later is the last good.
    private(set) var hasDelivered = false

    mutating func starts() {
        phase = .starting
        troubles = troubles.filter { $0.key == .configuration }
    }

    /// Configured. It is ready once each of `watches` has brought its first data.
    mutating func serves(_ watches: Set<Watch>) {
        phase = .serving
        awaited = watches
        if awaited.isEmpty { hasDelivered = true }
    }

    mutating func arrived(_ watch: Watch) {
        awaited.remove(watch)
        troubles[.watch(watch.rawValue)] = nil
        if awaited.isEmpty { hasDelivered = true }
    }

    mutating func ended(_ phase: Phase) {
        self.phase = phase
        troubles = [:]
    }

    mutating func note(_ trouble: Trouble, _ message: String) { troubles[trouble] = message }

    mutating func clear(_ trouble: Trouble) { troubles[trouble] = nil }

    var state: State {
        switch phase {
        case .starting: .starting
        case .serving: troubles.isEmpty ? (awaited.isEmpty ? .ready : .starting) : .degraded
        case .backoff: .backoff
        case .failed: .failed
        case .disabled: .disabled
        }
    }

    /// Why it is not `ready`; empty if it is.
    var message: String {
        switch phase {
        case .backoff(let message), .failed(let message): return message
        case .disabled: return "its drop-in says disabled: true"
        case .starting, .serving: break
        }
        let known = troubles.sorted { $0.key < $1.key }.map(\.value)
        let waits = phase == .serving ? awaited.map { "waits for its \($0.rawValue)" }.sorted() : []
        return (known + waits).joined(separator: "; ")
    }
}
