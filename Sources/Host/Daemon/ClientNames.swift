// The confirmed names of clients' addresses, for external networks by wildcard: what is known, for how long, and what to ask for.

import Linux
import Policy
import SallyportProtocol

/// A value without I/O; times are seconds that never go back.
package struct ClientNames: Sendable {
    package typealias Response = Sallyport_Plugin_V1_NamesOfResponse

    /// Addresses with a name below a wildcard, and as many without. Past it nobody new is known by name.
    package static let mostAddresses = 65_536
    /// Addresses to ask for; who comes when these wait is decided without names.
    package static let mostWaiting = 4096
    /// Questions without an answer. Each may hold a thread of the adapter for as long as a name server is silent.
    package static let mostQuestions = 32
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
        /// Whether those who use it have been told so.
        var isTold = false
        /// When it has no name any more.
        var end: Int64
    }

    /// By address, each with one name at least below a wildcard.
    package private(set) var names: [IPAddress: [String]] = [:]
    private var times: [IPAddress: Times] = [:]
    private var nameless: [IPAddress: Nameless] = [:]
    private var domains: Set<String> = []
    private var waiting: [IPAddress] = []
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
    /// - Returns: What is known, if that it has none; otherwise it has names already, or is asked for.
    package mutating func ask(_ address: IPAddress, at now: Int64) -> Nameless? {
        if let times = times[address] {
            if times.due > now { return nil }
        } else if let known = nameless[address] {
            if known.until > now { return known }
            nameless[address] = nil
        }
        if waiting.count < ClientNames.mostWaiting, asked.insert(address).inserted { waiting.append(address) }
        return nil
    }

    /// The next address to ask for, whose answer must be learnt.
    package mutating func nextQuestion() -> IPAddress? {
        guard questions < ClientNames.mostQuestions, !waiting.isEmpty else { return nil }
        questions += 1
        return waiting.removeFirst()
    }

    /// - Returns: What to tell those who wait if the address has no name; otherwise its names are among `names`, or stay there for now.
    package mutating func learn(_ answer: Response, of address: IPAddress, at now: Int64) -> Nameless? {
        questions -= 1
        asked.remove(address)
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
            known.isTold = false
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
            if known.end <= now { gone.append(address) } else if known.due <= now && !known.isTold { due.append(address) }
        }
        for address in gone {
            times[address] = nil
            names[address] = nil
        }
        for address in due { times[address]?.isTold = true }
        return (gone, due)
    }

    /// Whether a name lies below a wildcard.
    private func isMeant(_ name: String) -> Bool { Policy.domains(above: name).contains(where: domains.contains) }
}
