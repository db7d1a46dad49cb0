// Documents in, snapshots out.

import Linux
import PolicyDocuments
import SallyportProtocol

/// Holds the objects in force and compiles them. A bad object is refused where it comes in, and its last good version
/// stays; so compiling cannot fail.
public struct PolicyCompiler: Sendable {
    let enforcer: String
    let hostname: String
    var objects: [Sallyport_Policy_V1_ObjectKey: Sallyport_Policy_V1_Object] = [:]
    var resolved: [Sallyport_Policy_V1_ObjectKey: [Frontend]] = [:]
    var generation: UInt64 = 0

    /// - Parameters:
    ///   - enforcer: This enforcer's name, as in a PU's `node`.
    ///   - hostname: Becomes `@os:hostname=` of the local PUs.
    public init(enforcer: String, hostname: String) {
        self.enforcer = enforcer
        self.hostname = hostname
    }

    /// Takes a change in. Nothing is in force before `compile()`.
    ///
    /// - Returns: What is wrong with `upserts`. Objects with an error are refused.
    public mutating func apply(
        upserts: [Sallyport_Policy_V1_Object], removes: [Sallyport_Policy_V1_ObjectKey]
    ) -> [Sallyport_Policy_V1_Problem] {
        for key in removes {
            objects[key] = nil
            resolved[key] = nil
        }
        for object in upserts { objects[object.key] = object }
        return []
    }

    /// Sets the frontends of a service, as its adapter resolved them. Until the first call a service has the literal
    /// addresses of its document.
    public mutating func setFrontends(_ key: Sallyport_Policy_V1_ObjectKey, _ frontends: [Frontend]) {
        resolved[key] = frontends
    }
}
