// One object enters or leaves. Selectors become atoms here; who they select is found when a snapshot is compiled.

import Linux
import PolicyDocuments
import SallyportProtocol

extension PolicyCompiler {
    /// What `validate` says of an object, with its name and place.
    func check(_ object: PolicyObject) -> [Problem] {
        validate(object).map { problem in
            Problem.with {
                $0.key = object.key
                $0.origin = object.origin
                $0.field = problem.field
                $0.message = problem.message
                $0.severity = problem.severity
            }
        }
    }

    /// - Parameter object: Checked.
    mutating func install(_ object: PolicyObject) {
        let key = object.key
        guard key.kind != .namespace else {
            let number = state.namespaces.number(namespacePath(key))
            if state.namespaces.document(number) != object.namespace { state.namespaces.setDocument(number, object.namespace) }
            return
        }
        let place = ObjectNumbers.Place(namespace: state.namespaces.number(key.namespace), name: key.name)
        switch object.spec {
        case .processingUnit(let message)?: install(message, at: place)
        case .tcpService(let message)?: install(message, at: place)
        case .serviceDependencyPolicy(let message)?: install(message, at: place)
        case .networkRuleset(let message)?: install(message, at: place)
        case .externalNetwork(let message)?: install(message, at: place)
        case .namespace?, nil: break
        }
    }

    mutating func remove(_ key: ObjectKey) {
        if key.kind == .namespace {
            guard let number = state.namespaces.find(namespacePath(key)), state.namespaces.document(number) != nil else { return }
            state.namespaces.setDocument(number, nil)
            return
        }
        guard let place = place(of: key) else { return }
        switch key.kind {
        case .processingUnit:
            if let number = numbers.units.removeValue(forKey: place) { removeUnit(number) }
        case .tcpService:
            if let number = numbers.services.removeValue(forKey: place) { removeService(number) }
        case .serviceDependencyPolicy:
            if let number = numbers.dependencies.removeValue(forKey: place) { removeDependency(number) }
        case .networkRuleset:
            if let number = numbers.rulesets.removeValue(forKey: place) { removeRuleset(number) }
        case .externalNetwork:
            guard let number = numbers.externalNetworks.removeValue(forKey: place) else { return }
            state.externalNetworks.remove(number)
            pending.externalNetworks = true
        case .namespace, .unspecified, .UNRECOGNIZED: break
        }
    }

    /// Where an object would be; nil if nothing refers to its namespace.
    func place(of key: ObjectKey) -> ObjectNumbers.Place? {
        state.namespaces.find(key.namespace).map { ObjectNumbers.Place(namespace: $0, name: key.name) }
    }

    private func namespacePath(_ key: ObjectKey) -> String { key.name == "/" ? "/" : join(key.namespace, key.name) }

    private mutating func nextSerial() -> Int {
        serial += 1
        return serial
    }
}

// Dependency policies, rulesets, external networks. PUs and services are in Targets.swift.
extension PolicyCompiler {
    mutating func install(_ message: DependencyMessage, at place: ObjectNumbers.Place) {
        let known = numbers.dependencies[place]
        if let known {
            if state.dependencies[known]?.message == message { return }
            unfileDependency(known)
        }
        let compiled = CompiledDependency(
            serial: nextSerial(), namespace: place.namespace, name: place.name, message: message, atoms: &state.atoms,
            serviceAtoms: &state.serviceTags.atoms)
        let number: Int32
        if let known {
            number = known
            state.dependencies.replace(known, compiled)
        } else {
            number = state.dependencies.add { _ in compiled }
            numbers.dependencies[place] = number
        }
        if !message.disabled {
            state.dependencySubjects.insert(compiled.subject, of: number, in: place.namespace, propagates: message.propagate)
        }
        pending.dependencies = true
    }

    private mutating func removeDependency(_ number: Int32) {
        unfileDependency(number)
        state.dependencies.remove(number)
        pending.dependencies = true
    }

    private mutating func unfileDependency(_ number: Int32) {
        retired += 1
        guard let old = state.dependencies[number], !old.message.disabled else { return }
        state.dependencySubjects.remove(old.subject, of: number, in: old.namespace, propagates: old.message.propagate)
    }

    mutating func install(_ message: RulesetMessage, at place: ObjectNumbers.Place) {
        let known = numbers.rulesets[place]
        if let known {
            if state.rulesets[known]?.message == message { return }
            unfileRuleset(known)
        }
        let compiled = CompiledRuleset(
            serial: nextSerial(), namespace: place.namespace, path: state.namespaces[place.namespace].path, name: place.name,
            message: message, atoms: &state.atoms)
        let number: Int32
        if let known {
            number = known
            state.rulesets.replace(known, compiled)
        } else {
            number = state.rulesets.add { _ in compiled }
            numbers.rulesets[place] = number
        }
        if !message.disabled {
            state.rulesetSubjects.insert(compiled.subject, of: number, in: place.namespace, propagates: message.propagate)
        }
        pending.rulesets = true
    }

    private mutating func removeRuleset(_ number: Int32) {
        unfileRuleset(number)
        state.rulesets.remove(number)
        pending.rulesets = true
    }

    private mutating func unfileRuleset(_ number: Int32) {
        retired += 1
        guard let old = state.rulesets[number], !old.message.disabled else { return }
        state.rulesetSubjects.remove(old.subject, of: number, in: old.namespace, propagates: old.message.propagate)
    }

    mutating func install(_ message: ExternalNetworkMessage, at place: ObjectNumbers.Place) {
        let path = state.namespaces[place.namespace].path
        func make(_ number: Int32, _ message: ExternalNetworkMessage, _ resolved: [ResolvedAddress]) -> ExternalNetwork {
            ExternalNetwork(id: number, namespace: path, scope: place.namespace, name: place.name, message: message, resolved: resolved)
        }
        guard let known = numbers.externalNetworks[place], let old = state.externalNetworks.networks[known] else {
            numbers.externalNetworks[place] = state.externalNetworks.add { make($0, message, []) }
            return pending.externalNetworks = true
        }
        if old.message == message { return }
        // Names that are still there keep their addresses.
        replace(make(known, message, old.resolved))
    }

    /// Sets the addresses that an external network's names have now.
    mutating func setResolved(_ addresses: [ResolvedAddress], of number: Int32) -> Bool {
        guard let old = state.externalNetworks.networks[number], old.resolved != addresses else { return false }
        replace(ExternalNetwork(
            id: number, namespace: old.namespace, scope: old.scope, name: old.name, message: old.message, resolved: addresses))
        return true
    }

    private mutating func replace(_ network: ExternalNetwork) {
        state.externalNetworks.replace(network)
        pending.externalNetworks = true
    }
}
