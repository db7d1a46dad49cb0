// The confirmed names of clients' addresses, for external networks by wildcard: what is known, for how long, and what to ask for.

import Linux
import Policy
import SallyportProtocol

/// A value without I/O; times are seconds that never go back.
package struct ClientNames: Sendable {
    package typealias Response = Sallyport_Plugin_V1_NamesOfResponse

    /// Addresses with a name below a wildcard, and as many without. Past it nobody new is known by name.
    package static let mostAddresses = 65_536
    /// Newcomers to ask for; who comes when these wait is decided without names.
    package static let mostWaiting = 4096
    /// No connection waits longer for an answer, s; whose turn comes later is not asked for.
    package static let longestWait: Int64 = 3
    /// Questions without an answer. Each may hold a thread of the adapter for as long as a name server is silent.
    package static let mostQuestions = 32
    /// Of these for names that are known: where their name servers are silent they are asked for again and again, and must leave some to newcomers.
    package static let mostRenewals = 24
    /// How long an address that has no name is not asked for again, at most; s.
    package static let longestNameless: Int64 = 60
    /// After an answer that did not come, s: soon enough for who dials again, and seldom enough for a name server that is in trouble.
    package static let retry: Int64 = 5

    /// What a client without a name is told.
    package struct Nameless: Sendable, Equatable {
        package var until: Int64
        /// It has none; otherwise it could not be found out.
        package var isCertain: Bool
    }

    private struct Times {
        /// When its names should be asked for again.
        var due: Int64
        /// When those who use it have been told so. Told again they are after `retry`: who asks may not have been heard.
        var told: Int64?
        /// When it has no name any more.
        var end: Int64
    }

    /// By address, each with one name at least below a wildcard.
    package private(set) var names: [IPAddress: [String]] = [:]
    private var times: [IPAddress: Times] = [:]
    private var nameless: [IPAddress: Nameless] = [:]
    private var domains: Set<String> = []
    /// Known names that somebody uses and that are due. They come before newcomers, so that no flood of these takes away what is known.
    private var renewing: [IPAddress] = []
    /// Those of them whose answer has not come yet.
    private var renewed: Set<IPAddress> = []
    private var waiting: [(address: IPAddress, until: Int64)] = []
    /// Those that wait, and those whose answer has not come yet.
    private var asked: Set<IPAddress> = []
    private var questions = 0

    package init() {}

    /// Takes the domains of the wildcards in force.
    package mutating func use(domains: Set<String>) {
        if domains == self.domains { return }
        self.domains = domains
        // Their names were not kept: they were below no wildcard.
        nameless.removeAll()
    }

    /// Somebody needs the names of an address.
    /// - Returns: What is known, if that it has none, or that it cannot be asked for now; otherwise it has names already, or is asked for.
    package mutating func ask(_ address: IPAddress, at now: Int64) -> Nameless? {
        if let times = times[address] {
            if times.due <= now && asked.insert(address).inserted { renewing.append(address) }
            return nil
        }
        if let known = nameless[address] {
            if known.until > now { return known }
            nameless[address] = nil
        }
        if asked.contains(address) { return nil }
        dropOverdue(at: now)
        if waiting.count >= ClientNames.mostWaiting { return Nameless(until: now + 1, isCertain: false) }
        asked.insert(address)
        waiting.append((address, now + ClientNames.longestWait))
        return nil
    }

    /// The next address to ask for, whose answer must be learnt.
    package mutating func nextQuestion(at now: Int64) -> IPAddress? {
        if questions >= ClientNames.mostQuestions { return nil }
        dropOverdue(at: now)
        let next: IPAddress
        if !renewing.isEmpty && renewed.count < ClientNames.mostRenewals {
            next = renewing.removeFirst()
            renewed.insert(next)
        } else if !waiting.isEmpty {
            next = waiting.removeFirst().address
        } else {
            return nil
        }
        questions += 1
        return next
    }

    /// Forgets those for whose names nobody waits any more.
    private mutating func dropOverdue(at now: Int64) {
        let overdue = waiting.prefix { $0.until <= now }
        for (address, _) in overdue { asked.remove(address) }
        waiting.removeFirst(overdue.count)
    }

    /// - Returns: What to tell those who wait if the address has no name; otherwise its names are among `names`, or stay there for now.
    package mutating func learn(_ answer: Response, of address: IPAddress, at now: Int64) -> Nameless? {
        questions -= 1
        asked.remove(address)
        renewed.remove(address)
        let ttl = Int64(answer.ttlSeconds)
        if answer.names.contains(where: isMeant) {
            if names[address] == nil && names.count >= ClientNames.mostAddresses { return forget(address, until: now + ClientNames.retry, isCertain: false) }
            names[address] = answer.names
            times[address] = Times(due: now + max(1, ttl), end: now + max(1, ttl) + Int64(answer.graceSeconds))
            return nil
        }
        let isCertain = answer.problem.isEmpty
        let again = now + (isCertain ? min(ClientNames.longestNameless, max(1, ttl)) : ClientNames.retry)
        if var known = times[address] {
            // The grace of names that are gone runs from the first answer without them.
            if isCertain { known.end = min(known.end, now + Int64(answer.graceSeconds)) }
            known.due = again
            known.told = nil
            times[address] = known
            return nil
        }
        return forget(address, until: again, isCertain: isCertain)
    }

    private mutating func forget(_ address: IPAddress, until: Int64, isCertain: Bool) -> Nameless {
        // What is forgotten too soon is asked for once more.
        if nameless.count >= ClientNames.mostAddresses { nameless.removeAll() }
        let known = Nameless(until: until, isCertain: isCertain)
        nameless[address] = known
        return known
    }

    /// Drops names whose time is over.
    /// - Returns: The addresses that have no name any more, and those whose names should be asked for again if anybody uses them.
    package mutating func advance(to now: Int64) -> (gone: [IPAddress], due: [IPAddress]) {
        var gone: [IPAddress] = []
        var due: [IPAddress] = []
        for (address, known) in times {
            if known.end <= now {
                gone.append(address)
            } else if known.due <= now, known.told.map({ $0 + ClientNames.retry <= now }) ?? true {
                due.append(address)
            }
        }
        for address in gone {
            times[address] = nil
            names[address] = nil
        }
        for address in due { times[address]?.told = now }
        return (gone, due)
    }

    /// Whether a name lies below a wildcard.
    private func isMeant(_ name: String) -> Bool { Policy.domains(above: name).contains(where: domains.contains) }
}
