// Asks for the names of clients that the data path does not know, and tells it.

import DataPath
import Linux
import Logging
import SallyportProtocol

/// What of the names is on its way.
struct Naming {
    /// Addresses whose names are others than the data path knows.
    var changed: Set<IPAddress> = []
    var isTellingDue = false
    var isTicking = false
    /// When to log again that an answer did not come, s: each of a thousand clients may meet the same trouble.
    var quietUntil: Int64 = 0
}

extension Enforcer {
    /// Many clients come at once after a load balancer's restart: what they are called is told together, this much later at most.
    private static let gathering = Duration.milliseconds(20)

    /// A connection waits for the names of its source, or somebody uses names that are due.
    func name(_ client: IPAddress) {
        if let known = clientNames.ask(client, at: seconds) { tell(known, of: client) }
        ask()
    }

    private var seconds: Int64 { Int64(clamping: clinux_monotonic() / 1_000_000_000) }

    private func ask() {
        while let client = clientNames.nextQuestion() {
            Task {
                var answer = ClientNames.Response()
                do {
                    guard let found = try await plugins?.names(of: client.bytes) else { return }
                    answer = found
                } catch {
                    answer.problem = "\(error)"
                }
                learn(answer, of: client)
            }
        }
    }

    private func learn(_ answer: ClientNames.Response, of client: IPAddress) {
        let before = clientNames.names[client]
        if let nameless = clientNames.learn(answer, of: client, at: seconds) { tell(nameless, of: client) }
        if clientNames.names[client] != before { tellNames(of: [client]) }
        if !answer.problem.isEmpty && naming.quietUntil <= seconds {
            naming.quietUntil = seconds + 60
            logger.warning("client-name-unknown", metadata: ["client": "\(client)", "problem": "\(answer.problem)"])
        }
        ask()
        tick()
    }

    private func tell(_ nameless: ClientNames.Nameless, of client: IPAddress) {
        dataPath.nameless(client, isCertain: nameless.isCertain, for: .seconds(nameless.until - seconds))
    }

    private func tellNames(of clients: [IPAddress]) {
        naming.changed.formUnion(clients)
        if naming.isTellingDue { return }
        naming.isTellingDue = true
        Task {
            try? await Task.sleep(for: Enforcer.gathering)
            naming.isTellingDue = false
            snapshot = snapshot.with(names: clientNames.names)
            dataPath.rename(clientNames.names, changed: naming.changed)
            naming.changed = []
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
