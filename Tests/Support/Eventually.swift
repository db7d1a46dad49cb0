// Waiting for what comes about in its own time, with an end.

import Linux

/// Waits until `condition` holds, and throws when it does not within 20 seconds.
public func eventually(_ what: String, _ condition: () throws -> Bool) throws {
    let end = clinux_monotonic() + 20_000_000_000
    while try !condition() {
        if clinux_monotonic() > end { throw NetworkError(what: "never \(what)") }
        usleep(5000)
    }
}
