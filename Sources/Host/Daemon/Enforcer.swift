// The state of one enforcer: what plugins bring comes in here, one generation at a time goes down to the data path.

import DataPath
import FlowLog
import Identity
import Interception
import Linux
import Logging
import PluginHost
import Policy
import SallyportProtocol

/// Holds policy, trust and certificates together, and puts them in force.
///
/// Everything that changes arrives as a message; whatever arrived meanwhile is compiled once. What is in
/// force stays in force until the next generation is whole.
public actor Enforcer {
    let configuration: DaemonConfiguration
    let dataPath: DataPath
    let logger: Logger
    let started = clinux_realtime() / 1_000_000_000

    var compiler: PolicyCompiler
    var snapshot: PolicySnapshot
    var trust: TrustPool?
    var credentials: [UnitKey: UnitCredentials] = [:]
    var units: LocalUnits
    /// Objects and the source that brought each: a source changes its own only.
    var sources: [Sallyport_Policy_V1_ObjectKey: String] = [:]
    /// What has arrived of a source since its last `complete`.
    private var incoming: [String: PolicyChange] = [:]
    var sourceProblems: [String: [Sallyport_Policy_V1_Problem]] = [:]
    var refusedProblems: [Sallyport_Policy_V1_ObjectKey: Sallyport_Policy_V1_Problem] = [:]
    private var adaptedServices = AdaptedServices()
    private var namedNetworks = NamedNetworks()
    var clientNames = ClientNames()
    var naming = Naming()
    var frontendProblems: [Sallyport_Policy_V1_ObjectKey: String] = [:]
    /// The servers behind services' load balancers, where adapters tell of them.
    var backends: [Sallyport_Policy_V1_ObjectKey: [Sallyport_Plugin_V1_Backend]] = [:]
    var publicCertificates = PublicCertificates()
    private var isCompileDue = false
    private var hasPolicy = false
    /// Wired once, before anything arrives.
    var plugins: PluginHost?
    var store: CredentialStore?

    private struct PolicyChange {
        var upserts: [Sallyport_Policy_V1_ObjectKey: Sallyport_Policy_V1_Object] = [:]
        var removes: Set<Sallyport_Policy_V1_ObjectKey> = []
    }

    public init(configuration: DaemonConfiguration, dataPath: DataPath, hostname: String, logger: Logger) {
        self.configuration = configuration
        self.dataPath = dataPath
        self.logger = logger
        var compiler = PolicyCompiler(enforcer: configuration.enforcer, hostname: hostname)
        snapshot = compiler.compile()
        self.compiler = compiler
        units = LocalUnits(workers: dataPath.workers, redirection: configuration.redirection,
            pins: SteeringPins(stateDirectory: configuration.stateDirectory), logger: logger)
    }

    /// Makes the parts that bring and issue known to each other. Once, before either is started.
    func wire(plugins: PluginHost, store: CredentialStore) {
        self.plugins = plugins
        self.store = store
    }

    /// Removes all interception but for the routes of live flows, which end with the data path.
    func uninstall() {
        units.uninstall()
        remember()
    }

    /// The rest of `uninstall`, when the data path has ended.
    func removeRoutes() { units.removeRoutes() }

    // MARK: - Policy

    /// Takes one event of a policy source.
    func take(_ event: Sallyport_Plugin_V1_PolicyEvent, from source: String) {
        switch event.event {
        case .upsert(let object): upsert(object, source)
        case .remove(let key): remove(key, source)
        case .batch(let batch):
            for object in batch.upserts { upsert(object, source) }
            for key in batch.removes { remove(key, source) }
        case .problems(let list):
            let known = sourceProblems[source] ?? []
            for problem in list.problems where !known.contains(problem) { log(problem) }
            sourceProblems[source] = list.problems
        case .complete: apply(source)
        case nil: break
        }
    }

    private func upsert(_ object: Sallyport_Policy_V1_Object, _ source: String) {
        incoming[source, default: PolicyChange()].removes.remove(object.key)
        incoming[source, default: PolicyChange()].upserts[object.key] = object
    }

    private func remove(_ key: Sallyport_Policy_V1_ObjectKey, _ source: String) {
        incoming[source, default: PolicyChange()].upserts[key] = nil
        incoming[source, default: PolicyChange()].removes.insert(key)
    }

    /// Applies what a source has completed.
    private func apply(_ source: String) {
        hasPolicy = hasPolicy || source != "control-api"
        let change = incoming.removeValue(forKey: source) ?? PolicyChange()
        var upserts: [Sallyport_Policy_V1_Object] = []
        for (key, object) in change.upserts {
            if let owner = sources[key], owner != source {
                let taken = problem(key, object.origin, "source \(owner) has an object of this name already; rename one of them")
                if refusedProblems[key] != taken { log(taken) }
                refusedProblems[key] = taken
                continue
            }
            refusedProblems[key] = nil
            sources[key] = source
            upserts.append(object)
        }
        let removes = change.removes.filter { sources[$0] == source }
        for key in removes {
            sources[key] = nil
            refusedProblems[key] = nil
            frontendProblems[key] = nil
        }
        for problem in compiler.apply(upserts: upserts, removes: Array(removes)) {
            log(problem)
            refusedProblems[problem.key] = problem
        }
        needsCompile()
        let names = namedNetworks.follow(
            upserts.filter { $0.key.kind == .externalNetwork }, removed: removes.filter { $0.kind == .externalNetwork })
        for network in names.removes { frontendProblems[network] = nil }
        if !names.upserts.isEmpty || !names.removes.isEmpty {
            Task { await plugins?.updateServices(adapter: "static", upserts: names.upserts, removes: names.removes, replaceAll: false) }
        }
        let services = upserts.filter { $0.key.kind == .tcpService }
        let removedServices = removes.filter { $0.kind == .tcpService }
        if services.isEmpty && removedServices.isEmpty { return }
        let publicServices = publicCertificates.follow(services, removed: Array(removedServices))
        // Tasks of their own with one call each: what a later change tells comes later.
        Task { await plugins?.updatePublicServices(upserts: publicServices.upserts, removes: publicServices.removes, replaceAll: false) }
        for (adapter, change) in adaptedServices.follow(services, removed: Array(removedServices)) {
            for service in change.removes { backends[service] = nil }
            Task { await plugins?.updateServices(adapter: adapter, upserts: change.upserts, removes: change.removes, replaceAll: false) }
        }
    }

    private func problem(_ key: Sallyport_Policy_V1_ObjectKey, _ origin: String, _ message: String) -> Sallyport_Policy_V1_Problem {
        .with {
            $0.key = key
            $0.origin = origin
            $0.message = message
        }
    }

    /// What is wrong is logged when it comes up; `problems` tells what is wrong still.
    private func log(_ problem: Sallyport_Policy_V1_Problem) {
        logger.warning("policy-problem", metadata: [
            "object": "\(problem.key.namespace)/\(problem.key.name)", "place": "\(problem.origin)",
            "problem": "\(problem.field.isEmpty ? "" : problem.field + ": ")\(problem.message)",
        ])
    }

    /// Takes what an adapter resolved.
    func take(_ event: Sallyport_Plugin_V1_FrontendsEvent, from adapter: String) {
        // An adapter tells of servers that come and go, too: a new generation would end tickets for nothing.
        var isOther = false
        for changed in event.changed {
            let isNetwork = changed.service.kind == .externalNetwork
            guard isNetwork ? adapter == "static" && namedNetworks.has(changed.service) : adaptedServices.has(adapter, changed.service) else { continue }
            frontendProblems[changed.service] = changed.problem.isEmpty ? nil : "\(adapter): \(changed.problem)"
            if isNetwork {
                isOther = take(addresses: changed) || isOther
                continue
            }
            backends[changed.service] = changed.backends.isEmpty ? nil : changed.backends
            let frontends = changed.frontends.compactMap { frontend -> Frontend? in
                guard let address = IPAddress(bytes: frontend.address), frontend.port > 0, frontend.port < 65536 else { return nil }
                let prefix = Int(frontend.prefixLength) + (address.isV4 ? 96 : 0)
                guard prefix <= 128 else { return nil }
                return Frontend(cidr: CIDR(address, prefix: prefix), port: UInt16(frontend.port), host: frontend.host)
            }
            // Nothing known yet, and why: what was known before stays.
            if frontends.isEmpty && !changed.problem.isEmpty { continue }
            isOther = compiler.setFrontends(changed.service, frontends) || isOther
        }
        if isOther { needsCompile() }
    }

    // MARK: - Certificates

    func take(_ bundle: Sallyport_Plugin_V1_TrustBundle, from provider: String) async {
        let generation = (trust?.generation ?? 0) + 1
        do {
            trust = try TrustPool(generation: generation, trustDomain: bundle.trustDomain, roots: bundle.roots.map { Array($0) })
        } catch {
            logger.error("trust-refused", metadata: ["provider": "\(provider)", "error": "\(error)"])
            return
        }
        logger.info("trust-changed", metadata: ["provider": "\(provider)", "roots": "\(bundle.roots.count)", "generation": "\(generation)"])
        if let trust { await store?.setIssuer(bundle.issuerID, trust: trust) }
        publish()
    }

    func take(_ issued: UnitCredentials, for unit: UnitKey) {
        credentials[unit] = issued
        publish()
    }

    func take(_ event: Sallyport_Plugin_V1_CertificatesEvent, from provider: String) {
        let before = event.changed.map { publicCertificates[$0.service]?.problem }
        if publicCertificates.take(event, from: provider) { publish() }
        for (changed, before) in zip(event.changed, before) {
            guard let problem = publicCertificates[changed.service]?.problem, !problem.isEmpty, problem != before else { continue }
            logger.warning("public-certificate-problem", metadata: [
                "service": "\(changed.service.namespace)/\(changed.service.name)", "problem": "\(problem)",
            ])
        }
    }

    // MARK: - Generations

    private func needsCompile() {
        if isCompileDue { return }
        isCompileDue = true
        // Behind whatever else is waiting for this actor: many changes, one compilation.
        Task { await self.compile() }
    }

    private func compile() async {
        isCompileDue = false
        let before = snapshot
        snapshot = compiler.compile()
        clientNames.use(domains: snapshot.domains)
        snapshot = snapshot.with(names: clientNames.names)
        logger.info("policy-compiled", metadata: [
            "generation": "\(snapshot.generation)", "services": "\(snapshot.services.count)", "units": "\(snapshot.units.count)",
        ])
        for problem in snapshot.problems where !before.problems.contains(problem) { log(problem) }
        if isPolicyLost && !before.units.isEmpty {
            logger.error("policy-empty", metadata: ["problem": "no source has a document any more; everything protected is refused"])
        }
        reconcileUnits()
        let present = Set(snapshot.units.map(\.key))
        credentials = credentials.filter { present.contains($0.key) }
        await store?.setUnits(
            Dictionary(snapshot.units.map { (CredentialStore.Unit($0.key), $0.tags) }, uniquingKeysWith: { first, _ in first }))
        publish()
    }

    /// Units that came are intercepted, those that went are let go. A unit is in the data path before the
    /// first connection can be redirected to it: what comes before its generation is refused.
    func reconcileUnits() {
        if isPolicyLost { return }
        let change = units.reconcile(with: snapshot.units)
        for key in change.removed { dataPath.remove(key) }
        for (key, sockets, namespaces) in change.added { dataPath.add(key, sockets: sockets, namespaces: namespaces) }
        units.applyPlans(snapshot.units)
        if !change.added.isEmpty || !change.removed.isEmpty { remember() }
    }

    /// There was a policy, and not one document of it is left: a folder that was emptied or a mount that went sooner than a wish.
    /// What was protected stays intercepted, and is refused since nothing allows it; without this it would pass unprotected.
    private var isPolicyLost: Bool { hasPolicy && sources.isEmpty && !units.namespaces.isEmpty }

    /// Looks at the units' namespaces again and again: one may vanish, or come after the unit was named.
    /// nsfs tells nobody of either. Runs until it is cancelled.
    func watchNamespaces() async {
        while (try? await Task.sleep(for: .seconds(2), tolerance: .seconds(1))) != nil {
            if units.needAnotherLook { reconcileUnits() }
        }
    }

    /// Keeps on disk which namespaces hold rules, for `--uninstall`.
    private func remember() {
        do {
            try InterceptedNamespaces(stateDirectory: configuration.stateDirectory).write(units.namespaces)
        } catch {
            logger.error("namespaces-not-remembered", metadata: ["error": "\(error)"])
        }
    }

    private func publish() {
        guard let trust else { return }
        dataPath.publish(
            Generation(snapshot: snapshot, trust: trust, credentials: credentials, publicCredentials: publicCertificates.credentials))
    }

    // MARK: - Condition

    /// Why this enforcer is not ready, or what of it is degraded; empty when all is well.
    func conditions() async -> (ready: Bool, texts: [String]) {
        var texts: [String] = []
        if await plugins?.requiredReady == false { texts.append("a required plugin is not ready; see sallyport plugins") }
        texts += policyConditions
        if trust == nil { texts.append("no TLS provider has delivered a trust bundle yet; see sallyport plugins") }
        for unit in snapshot.units {
            if let problem = units.problem(of: unit.key) { texts.append("\(unit.key) is not intercepted: \(problem)") }
            if credentials[unit.key] == nil { texts.append("\(unit.key) has no certificate yet") }
        }
        return (texts.isEmpty, texts)
    }

    /// Why there is no policy, or none any more; empty when there is one.
    var policyConditions: [String] {
        var texts: [String] = []
        if !hasPolicy { texts.append("no policy source has delivered yet; see sallyport plugins") }
        if isPolicyLost {
            texts.append("the policy is empty, and what it protected is refused; bring it back, or end the protection with sallyportd --uninstall")
        }
        return texts
    }
}
