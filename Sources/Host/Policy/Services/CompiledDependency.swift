// A service dependency policy in force, over atoms.

import SallyportProtocol

final class CompiledDependency: Sendable {
    /// Never given twice, so that lists of them name what a PU sees.
    let serial: Int
    let namespace: Int32
    let name: String
    let message: DependencyMessage
    /// Over the atoms of PUs.
    let subject: CompiledSelector
    /// Over the atoms of services.
    let object: CompiledSelector

    init(
        serial: Int, namespace: Int32, name: String, message: DependencyMessage, atoms: inout TagAtoms, serviceAtoms: inout TagAtoms
    ) {
        self.serial = serial
        self.namespace = namespace
        self.name = name
        self.message = message
        subject = CompiledSelector(message.subject, atoms: &atoms)
        object = CompiledSelector(message.object, atoms: &serviceAtoms)
    }

    /// Whether it can give sight of a service: one of its own namespace or below, where its author has the say, or one
    /// that propagates to it from above.
    func reaches(_ service: Service, _ tree: NamespaceTree) -> Bool {
        tree.isWithin(service.scope, namespace) || tree.holds(service.scope, propagates: service.propagate, in: namespace)
    }
}
