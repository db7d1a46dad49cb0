// Keeps the frontends of an adapter's services: asks for names when it is time, and tells watches what changed.

import Linux
import SallyportProtocol

/// Gives addresses and CIDRs at once, and the addresses of names for as long as DNS has them.
package actor FrontendResolver {
    /// As many questions wait for an answer at once; a name server that is away would else hold up all names behind it.
    private static let maximumQuestions = 8

    private let host: PluginHostHandle
    private let time: PluginClock
    private let states = Latest<ServiceState<FrontendsEvent>>()
    private var resolve: NameResolver
    private var table = FrontendTable()
    /// Whether the host has said which services there are; without, "none" would be a lie.
    private var isTold = false
    private var isEnded = false
    private var questions = 0
    private var timer: Task<Void, Never>?

    package nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    package init(host: PluginHostHandle, time: PluginClock, resolve: @escaping NameResolver = SystemResolver(nameserver: nil).resolve) {
        self.host = host
        self.time = time
        self.resolve = resolve
    }

    deinit { timer?.cancel() }

    /// - Parameter resolve: nil for the one before.
    package func use(_ times: NameTimes, resolve: NameResolver?) {
        table.use(times)
        if let resolve { self.resolve = resolve }
        turn()
    }

    /// Looks into the load balancers anew, and from now on like this.
    package func use(_ inspection: @escaping LoadBalancerInspection) {
        table.use(inspection)
        turn()
    }

    /// - Returns: Whether there are any services now.
    @discardableResult
    package func update(_ request: UpdateServicesRequest) -> Bool {
        table.update(request, at: time.now())
        isTold = true
        turn()
        return table.hasServices
    }

    package nonisolated func watch(_ events: MessageSender<FrontendsEvent>) async throws {
        try await states.send(to: events)
    }

    package func end() {
        isEnded = true
        timer?.cancel()
    }

    /// Does all that is due, and sets the timer for what comes next.
    private func turn() {
        timer?.cancel()
        if isEnded { return }
        table.advance(to: time.now())
        while questions < FrontendResolver.maximumQuestions, let name = table.nextQuestion() {
            questions += 1
            host.task { [resolve] in
                let answer = await resolve(name)
                await self.learn(name, answer)
            }
        }
        if isTold, states.value?.revision != table.state.revision { states.set(table.state) }
        guard let deadline = table.deadline else { return }
        timer = host.task { [weak self, time] in
            if await time.wait(deadline) { await self?.turn() }
        }
    }

    private func learn(_ name: String, _ answer: NameAnswer) {
        questions -= 1
        table.learn(answer, of: name, at: time.now())
        turn()
    }
}
