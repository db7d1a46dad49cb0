// Asks for the names of clients that the data path does not know, and tells it.

import DataPath
import Linux
import Logging
import SallyportProtocol

/// What of the names is on its way.
struct Naming {
    /// Addresses whose names are others than the data path knows.
    var changed: Set<IPAddress> = []
    /// Those without a name, of which it does not know yet.
    var nameless: [IPAddress: ClientNames.Nameless] = [:]
    var isTellingDue = false
    var isTicking = false
    /// When to log again that an answer did not come, s: each of a thousand clients may meet the same trouble.
    var quietUntil: Int64 = 0
}

extension Enforcer {
    /// Many clients come at once, and each answer makes every worker look who waits: answers are told together, this much later at most.
    private static let gathering = Duration.milliseconds(10)

    /// A connection waits for the names of its source, or somebody uses names that are due.
    func name(_ client: IPAddress) {
        if let known = clientNames.ask(client, at: seconds) { tellNameless(client, known) }
        ask()
    }

    private var seconds: Int64 { Int64(clamping: clinux_monotonic() / 1_000_000_000) }

    private func ask() {
        while let client = clientNames.nextQuestion(at: seconds) {
            Task {
                var answer = ClientNames.Response()
                do {
                    if let found = try await plugins?.names(of: client.bytes) { answer = found } else { answer.problem = "plugins have not been started yet" }
                } catch {
                    answer.problem = "\(error)"
                }
                learn(answer, of: client)
            }
        }
    }

    private func learn(_ answer: ClientNames.Response, of client: IPAddress) {
        let before = clientNames.names[client]
        if let nameless = clientNames.learn(answer, of: client, at: seconds) { tellNameless(client, nameless) }
        if clientNames.names[client] != before { tellNames(of: [client]) }
        if !answer.problem.isEmpty && naming.quietUntil <= seconds {
            naming.quietUntil = seconds + 60
            logger.warning("client-name-unknown", metadata: ["client": "\(client)", "problem": "\(answer.problem)"])
        }
        ask()
        tick()
    }

    private func tellNameless(_ client: IPAddress, _ nameless: ClientNames.Nameless) {
        naming.nameless[client] = nameless
        tell()
    }

    private func tellNames(of clients: [IPAddress]) {
        naming.changed.formUnion(clients)
        tell()
    }

    private func tell() {
        if naming.isTellingDue { return }
        naming.isTellingDue = true
        Task {
            try? await Task.sleep(for: Enforcer.gathering)
            naming.isTellingDue = false
            if !naming.changed.isEmpty {
                snapshot = snapshot.with(names: clientNames.names)
                dataPath.rename(clientNames.names, changed: naming.changed)
                naming.changed = []
            }
            if !naming.nameless.isEmpty {
                let now = seconds
                dataPath.nameless(naming.nameless.mapValues { (.seconds(max(1, $0.until - now)), $0.isCertain) })
                naming.nameless = [:]
            }
        }
    }

    /// Looks every second which names are due and which are over, as long as there are any.
    private func tick() {
        if naming.isTicking || clientNames.names.isEmpty { return }
        naming.isTicking = true
        Task {
            while !clientNames.names.isEmpty {
                try? await Task.sleep(for: .seconds(1))
                let (gone, due) = clientNames.advance(to: seconds)
                if !due.isEmpty { dataPath.namesDue(due) }
                if !gone.isEmpty { tellNames(of: gone) }
            }
            naming.isTicking = false
        }
    }
}
