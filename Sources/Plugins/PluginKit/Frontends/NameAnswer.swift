// What came of asking for a name.

import Linux

/// The addresses of a name, each family by itself: one may fail while the other answers.
package struct NameAnswer: Sendable, Equatable {
    package enum Family: Sendable, Equatable {
        /// Never empty. The TTL is the least of all records on the way, in seconds.
        case addresses([IPAddress], ttl: UInt32)
        /// The name has none of this family, or does not exist.
        case none(NoAddress)
        /// No answer: what the name has is not known.
        case failed(String)
    }

    package enum NoAddress: Sendable, Equatable { case noSuchName, noRecord }

    package var v4: Family
    package var v6: Family

    package init(v4: Family, v6: Family) {
        self.v4 = v4
        self.v6 = v6
    }
}

/// Finds the addresses of a name. May take seconds; several are asked at once.
package typealias NameResolver = @Sendable (_ name: String) async -> NameAnswer
