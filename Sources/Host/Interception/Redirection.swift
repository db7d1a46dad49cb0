// How connections come to the listeners.

/// How connections are led to the enforcer's listeners; docs/interception.md compares the two.
public enum Redirection: Sendable {
    /// nat leads them, and conntrack looks up each packet of theirs. On every kernel.
    case nat
    /// Sockets are steered as they dial (`DialSteering`), and the table hands the packets that begin a connection to the listeners as they are.
    case steering
}
