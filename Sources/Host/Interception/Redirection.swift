// How connections come to the listeners.

/// How connections are led to the enforcer's listeners; docs/interception.md compares the two.
public enum Redirection: Sendable {
    /// The table leads them by nat, and conntrack looks up each packet of theirs. On every kernel.
    case nat
    /// Sockets are steered as they dial (`SocketSteering`) and as their listener is looked for (`SteeredNamespace`). No packet is looked at.
    case steering
}
