// Which PUs implement which services: kept up to date PU by PU and service by service.

import Linux
import SallyportProtocol

extension PolicyCompiler {
    mutating func install(_ message: UnitMessage, at place: ObjectNumbers.Place) {
        let record = UnitRecord(
            message, name: place.name, namespace: place.namespace, enforcer: enforcer, hostname: hostname, pool: &tagPool)
        install(record, at: place)
    }

    mutating func install(_ record: UnitRecord, at place: ObjectNumbers.Place) {
        let number: Int32
        if let known = numbers.units[place] {
            if state.units[known]?.record == record { return }
            retired += 1
            setServices(of: known, to: [])
            state.units.replace(known, PolicyState.UnitEntry(record: record))
            number = known
        } else {
            number = state.units.add { _ in PolicyState.UnitEntry(record: record) }
            numbers.units[place] = number
        }
        setLocal(number, record.local != nil)
        pending.units.insert(number)
    }

    mutating func removeUnit(_ number: Int32) {
        retired += 1
        setServices(of: number, to: [])
        state.units.remove(number)
        setLocal(number, false)
        pending.units.remove(number)
    }

    private mutating func setLocal(_ number: Int32, _ isLocal: Bool) {
        let changed = isLocal ? locals.insert(number).inserted : locals.remove(number) != nil
        if changed { pending.localUnits = true }
        compiled.forget(number)
    }

    mutating func install(_ message: ServiceMessage, at place: ObjectNumbers.Place) {
        let path = state.namespaces[place.namespace].path
        let target = CompiledSelector(message.target.selector, atoms: &state.atoms)
        func make(_ number: Int32) -> Service {
            Service(id: number, namespace: path, scope: place.namespace, name: place.name, message: message, target: target)
        }
        let service: Service
        if let known = numbers.services[place], let old = state.services[known] {
            if old.message == message { return }
            retired += 1
            service = make(known)
            if !service.hasTarget(of: old) { clearTargets(of: old) }
            if !service.hasTarget(of: old) { pending.services.insert(known) }
            if service.tags != old.tags || service.propagate != old.propagate || service.isEnabled != old.isEnabled {
                pending.sight = true
            }
            state.services.replace(service)
        } else {
            let number = state.services.add(make)
            guard let added = state.services[number] else { return }
            service = added
            numbers.services[place] = number
            pending.services.insert(number)
            pending.comeOrGone.insert(number)
            pending.sight = true
        }
        state.serviceTags.set(service)
        pending.touched.insert(service.id)
        pending.serviceList = true
    }

    mutating func removeService(_ number: Int32) {
        retired += 1
        if let old = state.services[number] { clearTargets(of: old) }
        state.services.remove(number)
        state.serviceTags.remove(number)
        pending.services.remove(number)
        pending.touched.insert(number)
        pending.comeOrGone.insert(number)
        pending.sight = true
        pending.serviceList = true
    }

    private mutating func clearTargets(of service: Service) {
        for unit in implementers.removeValue(forKey: service.id) ?? [] {
            guard var entry = state.units[unit] else { continue }
            entry.implements.removeAll { $0 == service.id }
            state.units.replace(unit, entry)
            for address in entry.record.addresses { state.services.removeDirect(address, service, unit: unit) }
        }
    }

    /// Finds the services of new PUs and the PUs of new services.
    mutating func findTargets() {
        // Asking the index about every PU costs about 3 µs each; asking every PU about one service, a tenth of that.
        if pending.services.count > 10 || pending.units.count > state.units.count / 2 {
            findAllTargets()
        } else {
            for service in pending.services { findUnits(of: service) }
            for unit in pending.units {
                guard let record = state.units[unit]?.record else { continue }
                setServices(of: unit, to: services(of: record))
            }
        }
        pending.services = []
        pending.units = []
    }

    private func services(of record: UnitRecord) -> [Int32] {
        state.services(implementedBy: state.atoms.satisfied(by: record.allTags(state.namespaces)), in: record.namespace)
    }

    private mutating func findAllTargets() {
        implementers = [:]
        state.services.removeAllDirect()
        for number in numbers.services.values { pending.touched.insert(number) }
        for number in numbers.units.values {
            guard var entry = state.units[number] else { continue }
            entry.implements = services(of: entry.record)
            state.units.replace(number, entry)
            for service in entry.implements { addTarget(number, entry.record, service) }
        }
    }

    /// Asks every PU in a service's scope. Most are told apart by comparing a tag or two.
    private mutating func findUnits(of number: Int32) {
        guard let service = state.services[number], service.isEnabled else { return }
        let state = state
        /// For each clause, the tags set by users that it asks for.
        let asked = parseClauses(service.message.target.selector).map { $0.compactMap(\.tag).filter { !$0.hasPrefix("$") && !$0.hasPrefix("@") } }
        var found: [(Int32, PolicyState.UnitEntry)] = []
        state.units.forEach { unit, entry in
            let record = entry.record
            guard state.namespaces.holds(service.scope, propagates: service.propagate, in: record.namespace),
                asked.contains(where: { tags in tags.allSatisfy(record.tags.contains) }),
                service.target.matches(state.atoms.satisfied(by: record.allTags(state.namespaces)))
            else { return }
            found.append((unit, entry))
        }
        for (unit, var entry) in found where !entry.implements.contains(number) {
            entry.implements.append(number)
            entry.implements.sort()
            self.state.units.replace(unit, entry)
            addTarget(unit, entry.record, number)
        }
    }

    private mutating func setServices(of unit: Int32, to services: [Int32]) {
        guard var entry = state.units[unit], entry.implements != services else { return }
        for number in entry.implements {
            guard let service = state.services[number] else { continue }
            implementers[number]?.remove(unit)
            for address in entry.record.addresses { state.services.removeDirect(address, service, unit: unit) }
            pending.touched.insert(number)
        }
        entry.implements = services
        state.units.replace(unit, entry)
        for number in services { addTarget(unit, entry.record, number) }
    }

    private mutating func addTarget(_ unit: Int32, _ record: UnitRecord, _ number: Int32) {
        guard let service = state.services[number] else { return }
        implementers[number, default: []].insert(unit)
        for address in record.addresses { state.services.addDirect(address, service, unit: unit) }
        pending.touched.insert(number)
    }
}
