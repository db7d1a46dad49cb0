// For calls that block: the plugin's thread must stay free for the host's.

import Linux

/// Runs `body` on a new thread, without holding the caller's.
/// - Throws: `SystemCallError` when the limit of threads is reached.
package func onThreadOfItsOwn<Result: Sendable>(_ name: String, _ body: @escaping @Sendable () -> Result) async throws -> Result {
    let thread = try SerialThread(name: name)
    defer { thread.stop() }
    return await withCheckedContinuation { continuation in
        thread.run { continuation.resume(returning: body()) }
    }
}
