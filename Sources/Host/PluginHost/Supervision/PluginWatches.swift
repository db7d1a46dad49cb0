// The streams of a plugin that runs: kept open, decoded, passed to the sink.

import CSallyportPlugin
import Linux
import PluginCarriers
import SallyportProtocol
import SwiftProtobuf
import TTRPC

extension SupervisedPlugin {
    func watchPolicy(_ running: RunningPlugin) async -> Ending {
        await keep(.policy, running, SALLYPORT_SERVICE_POLICY_SOURCE, "Watch", Sallyport_Plugin_V1_WatchPolicyRequest()) {
            (plugin, event: Sallyport_Plugin_V1_PolicyEvent) in
            for event in await plugin.mirrored(event) { await plugin.sink.policy(source: plugin.name, event) }
            if case .complete = event.event { return true }
            return false
        }
    }

    func watchTrust(_ running: RunningPlugin) async -> Ending {
        await keep(.trust, running, SALLYPORT_SERVICE_TLS_PROVIDER, "WatchTrust", Sallyport_Plugin_V1_WatchTrustRequest()) {
            (plugin, bundle: Sallyport_Plugin_V1_TrustBundle) in
            await plugin.sink.trust(provider: plugin.name, bundle)
            return true
        }
    }

    func watchFrontends(_ running: RunningPlugin) async -> Ending {
        await tell(adapted, running, SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, Sallyport_Plugin_V1_UpdateServicesResponse.self) {
            await self.keep(
                .frontends, running, SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, "WatchFrontends", Sallyport_Plugin_V1_WatchFrontendsRequest()
            ) { (plugin, event: Sallyport_Plugin_V1_FrontendsEvent) in
                await plugin.sink.frontends(adapter: await plugin.dropIn.adapterName, event)
                return event.complete
            }
        }
    }

    func watchCertificates(_ running: RunningPlugin) async -> Ending {
        await tell(published, running, SALLYPORT_SERVICE_PUBLIC_TLS, Sallyport_Plugin_V1_UpdatePublicServicesResponse.self) {
            await self.keep(
                .certificates, running, SALLYPORT_SERVICE_PUBLIC_TLS, "WatchCertificates", Sallyport_Plugin_V1_WatchCertificatesRequest()
            ) { (plugin, event: Sallyport_Plugin_V1_CertificatesEvent) in
                var event = event
                // One that was on its way when its service went to another provider.
                event.changed.removeAll { !plugin.published.knows($0.service) }
                await plugin.sink.certificates(provider: plugin.name, event)
                return event.complete
            }
        }
    }

    /// Tells the plugin of its services, then opens its watch, and goes on telling.
    private func tell<Update: ServicesUpdate, Answer: Message>(
        _ desk: ServiceDesk<Update>, _ running: RunningPlugin, _ service: String, _: Answer.Type, _ watch: @escaping @Sendable () async -> Ending
    ) async -> Ending {
        let changes = desk.open()
        defer { desk.close() }
        return await withTaskGroup(of: Ending.self) { group in
            var isWatching = false
            var backoff = Backoff(configuration.times)
            for await _ in changes {
                do {
                    for request in desk.take() { let _: Answer = try await call(running, service, "UpdateServices", request) }
                    backoff.reset()
                } catch {
                    if Task.isCancelled { break }
                    try? await Task.sleep(for: backoff.next())
                    desk.startOver()
                    continue
                }
                if !isWatching {
                    isWatching = true
                    group.addTask { await watch() }
                }
            }
            group.cancelAll()
            return .wanted
        }
    }

    /// Keeps a watch open until the task is cancelled. One that ends or brings what is no message degrades the plugin and
    /// is opened again.
    /// - Parameter take: Passes one message on; returns whether it marks that everything there is has come.
    private func keep<Event: Message>(
        _ watch: Standing.Watch, _ running: RunningPlugin, _ service: String, _ method: String, _ request: some Message,
        _ take: @Sendable (SupervisedPlugin, Event) async -> Bool
    ) async -> Ending {
        var backoff = Backoff(configuration.times)
        while !Task.isCancelled {
            begins(watch)
            var reason = "the plugin ended the watch of its \(watch.rawValue)"
            do {
                let events = try await running.channel.open(service: service, method: method, request, timeout: nil, of: Event.self)
                while let event = try await events.next() {
                    if await take(self, event) {
                        backoff.reset()
                        change { $0.arrived(watch) }
                    }
                }
            } catch {
                reason = "the watch of its \(watch.rawValue) failed: \(self.reason(error))"
            }
            if Task.isCancelled { break }
            let pause = backoff.next()
            change { $0.note(.watch(watch.rawValue), "\(reason); it is opened again") }
            try? await Task.sleep(for: pause)
        }
        return .wanted
    }
}
