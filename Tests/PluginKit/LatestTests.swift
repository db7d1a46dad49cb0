// The newest value, for those who wait.

import PluginKit
import Testing

@Suite("The latest value", .timeLimit(.minutes(1)))
struct LatestTests {
    @Test("whoever comes late or is slow gets the newest, and nothing in between")
    func newest() async throws {
        let latest = Latest<String>()
        #expect(latest.value == nil)
        latest.set("a")
        latest.set("b")
        let first = try await latest.next(after: 0)
        #expect(first == (2, "b"))
        latest.set("c")
        #expect(try await latest.next(after: first.version) == (3, "c"))
    }

    @Test("everybody who waits is woken by a new value")
    func wakes() async throws {
        let latest = Latest<Int>()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10 { group.addTask { try await latest.next(after: 0).value } }
            latest.set(7)
            for try await value in group { #expect(value == 7) }
        }
    }

    @Test("a wait that is cancelled ends, and leaves the others waiting")
    func cancelled() async throws {
        let latest = Latest<Int>()
        let patient = Task { try await latest.next(after: 0).value }
        let hasty = Task { try await latest.next(after: 0).value }
        hasty.cancel()
        await #expect(throws: CancellationError.self) { try await hasty.value }
        latest.set(1)
        #expect(try await patient.value == 1)
    }
}
