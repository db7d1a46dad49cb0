// A clock that stands until a test turns it.

import PluginKit
import Synchronization

package final class ManualClock: Sendable {
    private let time: Mutex<Int64>
    private let turned = Latest<Int64>()

    package init(_ start: Int64 = 0) { time = Mutex(start) }

    package var now: Int64 { time.withLock { $0 } }

    package func turn(to now: Int64) {
        time.withLock { $0 = now }
        turned.set(now)
    }

    package func advance(_ seconds: Int64) { turn(to: now + seconds) }

    package var clock: PluginClock {
        PluginClock(now: { self.now }) { deadline in
            var version: UInt64 = 0
            while self.now < deadline {
                guard let next = try? await self.turned.next(after: version) else { return false }
                version = next.version
            }
            return !Task.isCancelled
        }
    }
}
