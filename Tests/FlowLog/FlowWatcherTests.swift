import FlowLog
import Linux
import Testing

struct FlowWatcherTests {
    private func log(memory: Int = 100, watcher: Int = 4096) throws -> FlowLog {
        try FlowLog(
            configuration: .init(memoryRecords: memory, watcherRecords: watcher), enforcer: "e", logger: RecordedLog().logger)
    }

    @Test("a slow watcher is told how many records it lost, and holds nobody up")
    func slow() async throws {
        let log = try log(watcher: 8)
        let slow = log.watch(since: 0, follow: true)
        let other = log.watch(since: 0, follow: true)
        log.append(flows(0..<5))
        log.flush()
        #expect(await other.next()?.flows.count == 5)
        log.append(flows(5..<10))
        log.append(flows(10..<20))
        log.flush()
        #expect(await other.next()?.missed == 7)

        let message = try #require(await slow.next())
        #expect(message.flows.map(\.startTimeNanos) == Array(0..<8))
        #expect(message.missed == 12)
        // After the gap it is served again.
        log.append(flows(20..<21))
        log.flush()
        #expect(await slow.next()?.flows.map(\.startTimeNanos) == [20])
        log.stop()
        #expect(await slow.next() == nil)
    }

    @Test("memory keeps the newest records, oldest first", arguments: [0, 1, 9, 10, 11, 25])
    func ring(count: Int) async throws {
        let log = try log(memory: 10)
        for number in 0..<count { log.append([flow(number)]) }
        log.flush()
        #expect(await log.watch(since: 0, follow: false).all().numbers == Array(max(0, count - 10)..<count))
        log.stop()
    }

    @Test("no memory and a watcher that follows still see new records")
    func noMemory() async throws {
        let log = try log(memory: 0)
        log.append(flows(0..<3))
        log.flush()
        #expect(await log.watch(since: 0, follow: false).all().numbers.isEmpty)
        let watcher = log.watch(since: 0, follow: true)
        log.append(flows(3..<5))
        #expect(await watcher.next()?.flows.count == 2)
        log.stop()
    }

    @Test("since and limit choose the newest of what is held")
    func sinceAndLimit() async throws {
        let log = try log()
        log.append(flows(0..<50))
        log.flush()
        #expect(await log.watch(since: 45, follow: false).all().numbers == Array(45..<50))
        #expect(await log.watch(since: 0, follow: false, limit: 3).all().numbers == [47, 48, 49])
        #expect(await log.watch(since: 1000, follow: false).all().numbers.isEmpty)
        log.stop()
    }

    @Test("a watcher that follows ends after its limit, with what was held counted in")
    func followLimit() async throws {
        let log = try log()
        log.append(flows(0..<2))
        log.flush()
        let watcher = log.watch(since: 0, follow: true, limit: 5)
        log.append(flows(2..<100))
        #expect(await watcher.all() == ([0, 1, 2, 3, 4], 0))
        log.stop()
    }

    @Test("what is held comes first and then what is new, each record once")
    func backlogThenNew() async throws {
        let log = try log()
        log.append(flows(0..<70))
        log.flush()
        let watcher = log.watch(since: 0, follow: true)
        log.append(flows(70..<150))
        log.stop()
        #expect(await watcher.all() == (Array(0..<150), 0))
    }

    @Test("a message holds no more than a megabyte of tags, or one record")
    func largeTags() async throws {
        let log = try log()
        let large = FlowParty(kind: .externalNetwork, namespace: "/", name: "all", tags: [String(repeating: "x", count: 600_000)])
        var record = flow(1)
        record.source = large
        log.append([record, record, flow(2), record])
        log.stop()
        let watcher = log.watch(since: 0, follow: false)
        var counts: [Int] = []
        while let message = await watcher.next() { counts.append(message.flows.count) }
        #expect(counts == [1, 2, 1])
    }

    @Test("a cancelled task gets no more, whether it waited or not")
    func cancelled() async throws {
        let log = try log()
        let watcher = log.watch(since: 0, follow: true)
        let waiting = Task { await watcher.next() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        log.append(flows(0..<1))
        log.flush()
        #expect(await watcher.next() == nil)
        log.stop()
    }
}
