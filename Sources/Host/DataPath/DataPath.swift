// The data path as the daemon sees it: workers that are given units and generations, and give records.

import FlowLog
import Linux
import Policy
import Synchronization

/// The worker threads, and the way to reach them.
public final class DataPath: Sendable {
    public let workers: Int
    private let mailboxes: [Mailbox]
    private let counters: [WorkerCounters]
    private let unitNumber = Atomic<UInt32>(0)
    private let threads: Mutex<[RunningThread]>

    /// Starts the workers.
    /// - Parameters:
    ///   - flows: Takes batches of flow records, on a worker's thread: it must return within microseconds.
    ///   - askNames: Is asked for the names of an address, likewise; the answer is `rename` or `nameless`. It may be asked again and again.
    /// - Throws: `SystemCallError` if a thread, an epoll or an eventfd cannot be had.
    public init(
        configuration: DataPathConfiguration, flows: @escaping @Sendable ([FlowRecord]) -> Void, askNames: @escaping @Sendable (IPAddress) -> Void
    ) throws(SystemCallError) {
        workers = max(1, configuration.workers)
        var system = SystemRandomNumberGenerator()
        let ticketKeys = TicketKeys(using: &system)
        var mailboxes: [Mailbox] = []
        let counters = (0..<workers).map { _ in WorkerCounters() }
        var threads: [RunningThread] = []
        for number in 0..<workers {
            let mailbox = try Mailbox()
            mailboxes.append(mailbox)
            // Made here so that a failure is thrown from here.
            nonisolated(unsafe) let worker = try Worker(  // safe: only its thread uses it afterwards
                number: number, configuration: configuration, mailbox: mailbox, counters: counters, ticketKeys: ticketKeys, flows: flows,
                askNames: askNames)
            threads.append(try RunningThread(name: "worker-\(number)") { worker.run() })
        }
        self.mailboxes = mailboxes
        self.counters = counters
        self.threads = Mutex(threads)
    }

    /// Puts a new generation in force, for new flows at once and for live ones as their namespace says.
    public func publish(_ generation: Generation) { send { _ in .publish(generation) } }

    /// Puts other names of some addresses in force, of new flows and of live ones.
    /// - Parameter names: All that are known; those of `changed` are others than before.
    public func rename(_ names: [IPAddress: [String]], changed: Set<IPAddress>) { send { _ in .rename(names, changed: changed) } }

    /// Answers that addresses have no name that matters.
    /// - Parameter answers: For how long not to ask again; and whether it is certain, or there may be names that could not be found out.
    public func nameless(_ answers: [IPAddress: (time: Duration, isCertain: Bool)]) { send { _ in .nameless(answers) } }

    /// Tells which addresses' names should be asked for again, if anybody needs them.
    public func namesDue(_ addresses: [IPAddress]) { send { _ in .namesDue(addresses) } }

    /// Begins to serve a unit. Each worker takes its own sockets and a copy of the namespace's descriptor, and closes them in the end.
    /// - Parameters:
    ///   - sockets: One pair for each worker.
    ///   - namespaces: One descriptor for each worker, of the namespace to dial in; nil for the daemon's own.
    public func add(_ unit: UnitKey, sockets: [UnitSockets], namespaces: [Int32]?) {
        let number = unitNumber.wrappingAdd(1, ordering: .relaxed).newValue
        send { worker in .add(unit, number: number, sockets[worker], namespace: namespaces?[worker]) }
    }

    /// Ends a unit's flows and forgets it.
    public func remove(_ unit: UnitKey) { send { _ in .remove(unit) } }

    /// Accepts nothing more; live flows go on until they end or the drain time is over.
    public func drain() { send { _ in .drain } }

    /// Ends everything at once.
    public func stop() { send { _ in .stop } }

    /// Returns once the workers have ended, after `stop` or `drain`.
    public func ended() async {
        await withCheckedContinuation { continuation in
            let ending = threads.withLock { threads in
                defer { threads.removeAll() }
                return threads
            }
            // Joining blocks, and the threads of Swift concurrency are few.
            let waiting = try? RunningThread(name: "ending") {
                for thread in ending { thread.join() }
                continuation.resume()
            }
            if waiting == nil { continuation.resume() }
        }
    }

    public func count() -> DataPathCounters {
        var total = DataPathCounters()
        for worker in counters { total.add(worker) }
        return total
    }

    private func send(_ message: (Int) -> WorkerMessage) {
        for (worker, mailbox) in mailboxes.enumerated() { mailbox.send(message(worker)) }
    }
}
