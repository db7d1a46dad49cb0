// One thread, one epoll loop, all the connections it accepted. Nothing here waits for anything but
// epoll_wait(2): what takes long happens in the control plane, ahead of time.

import FlowLog
import Identity
import Linux
import Policy
import Synchronization
import TLSEngine

/// A worker of the data path. All of it belongs to its thread but the mailbox and the counters.
final class Worker {
    let number: Int
    let configuration: DataPathConfiguration
    let mailbox: Mailbox
    let counters: WorkerCounters
    /// Of all workers: limits are the process's.
    let allCounters: [WorkerCounters]
    let epoll: Int32
    private var alarm: Alarm
    /// Where flow records go, in batches.
    let flows: @Sendable ([FlowRecord]) -> Void
    /// Asks the control plane for the names of an address; the answer is a message.
    let askNames: @Sendable (IPAddress) -> Void
    /// Protects tickets; the same for all workers, so that any of them resumes.
    let ticketKeys: TicketKeys

    var generation: Generation?
    var units: [Int32: UnitState] = [:]
    var unitNumbers: [UnitKey: Int32] = [:]
    // Used for every event, by this thread alone: what Swift would check of each access cannot fail.
    @exclusivity(unchecked) var slab = Slab()
    @exclusivity(unchecked) var timeouts: Timeouts
    var pipes = PipePool()
    var records: [FlowRecord] = []
    /// Connections that used up their turn with work left.
    var runQueue: [Int32] = []
    var verifier: PeerVerifier?
    /// Peers seen under this snapshot, by the identity object the verifier keeps.
    var knownPeers: [ObjectIdentifier: KnownPeer] = [:]
    var knownNetworks: [String: KnownPeer] = [:]
    var sourceNames = SourceNames()
    var flowRules: [ObjectIdentifier: FlowRule] = [:]
    /// For services whose applications speak only TLS.
    var targetContexts: [TargetContextKey: any TLSContext] = [:]
    /// For services whose load balancer ends TLS.
    var envelopes: [EnvelopeKey: EnvelopedContext] = [:]
    /// For public ports, by the service's path.
    var publicContexts: [String: PublicContext] = [:]
    var verified: PeerIdentity?
    var verificationError: IdentityError?
    var now = clinux_monotonic()
    var random: RandomIDs
    /// The namespace this thread is in; nil for the daemon's own.
    var currentNamespace: Int32?
    let homeNamespace: Int32
    /// Closed to make room for one more accept(2) when descriptors have run out.
    var spareDescriptor: Int32
    var isDraining = false
    var isStopped = false

    let wire = TLSWire.make()
    /// For sessions inside others; made when the first is.
    lazy var innerWire: UnsafeMutablePointer<TLSWire> = {
        let wire = TLSWire.make()
        wire.pointee.verifyPeer = { [unowned self] chain in self.verify(chain) }
        return wire
    }()
    /// Plaintext on its way from one leg to the other.
    let plain = UnsafeMutablePointer<UInt8>.allocate(capacity: TLSWire.plaintextSize)

    /// Events taken by one epoll_wait(2).
    private static let batch = 256
    /// Waits in a row that may have left something unheard, after which deadlines are looked at all the same.
    private static let unheardWaits = 64
    /// Records are handed over at least this often, ns.
    private static let recordInterval: UInt64 = 100_000_000
    private static let recordBatch = 256
    private var recordsDue: UInt64 = 0

    init(
        number: Int, configuration: DataPathConfiguration, mailbox: Mailbox, counters: [WorkerCounters], ticketKeys: TicketKeys,
        flows: @escaping @Sendable ([FlowRecord]) -> Void, askNames: @escaping @Sendable (IPAddress) -> Void
    ) throws(SystemCallError) {
        self.number = number
        self.configuration = configuration
        self.mailbox = mailbox
        self.counters = counters[number]
        allCounters = counters
        self.ticketKeys = ticketKeys
        self.flows = flows
        self.askNames = askNames
        random = RandomIDs()
        timeouts = Timeouts(durations: Worker.durations(configuration.timeouts))
        epoll = try syscall("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) }
        alarm = try Alarm()
        homeNamespace = try syscall("open", "/proc/self/ns/net") { clinux_open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0) }
        spareDescriptor = clinux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
        for (event, token) in [(mailbox.event, EventToken.mailbox), (alarm.event, .alarm)] {
            try syscall("epoll_ctl") { clinux_epoll_ctl(epoll, EPOLL_CTL_ADD, event, EPOLLIN.rawValue, token.raw) }
        }
        wire.pointee.verifyPeer = { [unowned self] chain in self.verify(chain) }
    }

    deinit {
        close(epoll)
        close(homeNamespace)
        if spareDescriptor >= 0 { close(spareDescriptor) }
        plain.deallocate()
    }

    private static func durations(_ timeouts: DataPathConfiguration.Timeouts) -> [UInt64] {
        TimeoutClass.allCases.map { kind in
            switch kind {
            case .none: 0
            case .proxyHeader: nanoseconds(timeouts.proxyHeader)
            // An enforcer's ClientHello comes right behind its SYN; who says nothing for this long speaks
            // a protocol in which the server begins, and must not be kept waiting.
            case .sniff: 50_000_000
            // Both look-ups and one lost question (resolv.conf(5), here asked again after 2 s); a client that dials anew is let in sooner then.
            case .name: 3_000_000_000
            case .dial: nanoseconds(timeouts.dial)
            case .handshake: nanoseconds(timeouts.handshake)
            // A client that began what looks like a ClientHello has this long to finish it before its bytes go on as they are.
            case .firstBytes: 1_000_000_000
            case .lasting: nanoseconds(timeouts.lasting)
            case .halfClosed: nanoseconds(timeouts.halfClosed)
            // A refused peer's enforcer reads the answer at once; whoever does not is reset.
            case .linger: 1_000_000_000
            case .drain: nanoseconds(timeouts.drain)
            }
        }
    }

    /// Runs until stopped, or drained.
    func run() {
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Worker.batch)
        defer { events.deallocate() }
        var unheard = 0
        while !isStopped && !(isDraining && slab.live == 0) {
            alarm.ring(by: records.isEmpty ? timeouts.due : min(timeouts.due, recordsDue))
            let asked = now
            let count = epoll_wait(epoll, events, Int32(Worker.batch), runQueue.isEmpty ? -1 : 0)
            now = clinux_monotonic()
            for index in 0..<max(0, Int(count)) { handle(events + index) }
            runQueued()
            // Overdue is who was so before epoll was asked, and is not among what it had to tell: who spoke in time is heard, though the
            // process was held up (SIGSTOP, a frozen cgroup) or is busy. Behind a full batch, or a wait that a signal ended, more may be ready.
            unheard = count < 0 || count == Worker.batch ? unheard + 1 : 0
            if unheard % Worker.unheardWaits == 0 {
                while let (slot, kind) = timeouts.expired(now: asked, in: slab) { timedOut(slot, kind) }
            }
            if records.count >= Worker.recordBatch || (!records.isEmpty && now >= recordsDue) { handOver() }
        }
        for index in 0..<slab.capacity where slab[index].pointee.isLive { end(slab[index], .shutdown, reset: true) }
        handOver()
    }

    @inline(__always)
    private func handle(_ event: UnsafeMutablePointer<epoll_event>) {
        switch EventToken(clinux_epoll_data(event)) {
        case .mailbox: for message in mailbox.take() { receive(message) }
        case .alarm: alarm.rang()
        case .listener(let unit, let outgoing):
            if let state = units[unit] { acceptAll(for: state, outgoing: outgoing) }
        case .leg(let index, let incarnation, let far):
            let slot = slab[index]
            guard slot.pointee.isLive, EventToken.matches(incarnation, slot.pointee.incarnation) else { return }
            let leg = far ? slot.far : slot.near
            let bits = event.pointee.events
            if bits & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { leg.pointee.readable = true }
            if bits & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { leg.pointee.hungUp = true }
            leg.pointee.isEnding = bits & EPOLLRDHUP.rawValue != 0 && bits & EPOLLERR.rawValue == 0
            if bits & (EPOLLOUT.rawValue | EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { leg.pointee.writable = true }
            advance(slot)
        }
    }

    private func runQueued() {
        if runQueue.isEmpty { return }
        let queue = runQueue
        runQueue.removeAll(keepingCapacity: true)
        for index in queue {
            let slot = slab[index]
            guard slot.pointee.isLive, slot.pointee.isQueuedToRun else { continue }
            slot.pointee.isQueuedToRun = false
            advance(slot)
        }
    }

    /// Comes back to a connection after the others have had their turn.
    func queueToRun(_ slot: ConnectionPointer) {
        if slot.pointee.isQueuedToRun { return }
        slot.pointee.isQueuedToRun = true
        runQueue.append(slot.pointee.index)
    }

    /// Does what a connection's stage can do with what its legs are ready for.
    func advance(_ slot: ConnectionPointer) {
        wire.pointee.clear()
        switch slot.pointee.stage {
        case .readingProxyHeader: readProxyHeader(slot)
        case .sniffing: sniff(slot)
        case .dialling: dialled(slot)
        case .handshaking: handshake(slot)
        case .awaitingPreface: readPreface(slot)
        case .awaitingHello: awaitHello(slot)
        case .awaitingMode: awaitMode(slot)
        case .clientHandshaking: clientHandshake(slot)
        case .awaitingClient: awaitClient(slot)
        case .awaitingName: awaitName(slot)
        case .diallingTarget: targetDialled(slot)
        case .targetHandshaking: targetHandshake(slot)
        case .relaying: relay(slot)
        case .lingering: linger(slot)
        }
    }

    func timedOut(_ slot: ConnectionPointer, _ kind: TimeoutClass) {
        switch kind {
        case .none: break
        case .proxyHeader: proxyHeaderOverdue(slot)
        case .sniff: slot.pointee.stage == .awaitingClient ? openTarget(slot) : nothingHeard(slot)
        case .name: nameOverdue(slot)
        case .dial: refuse(slot, .dialTimeout, detail: "\(slot.pointee.target) did not answer")
        case .handshake: refuse(slot, slot.pointee.stage == .awaitingPreface ? .prefaceTimeout : .handshakeTimeout)
        case .firstBytes: firstBytesOverdue(slot)
        case .lasting: recordStart(slot)
        case .halfClosed: end(slot, .halfCloseTimeout, reset: true)
        case .linger: discard(slot, reset: true)
        case .drain: end(slot, isDraining ? .drained : .policyChanged, reset: true)
        }
    }

    // MARK: - Flow records

    func emit(_ record: consuming FlowRecord) {
        if records.isEmpty { recordsDue = now &+ Worker.recordInterval }
        records.append(record)
    }

    private func handOver() {
        if records.isEmpty { return }
        let batch = records
        records = []
        records.reserveCapacity(Worker.recordBatch)
        flows(batch)
    }
}

/// A duration in whole nanoseconds; negative counts as none.
func nanoseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    return UInt64(max(0, seconds)) &* 1_000_000_000 &+ UInt64(max(0, attoseconds) / 1_000_000_000)
}
