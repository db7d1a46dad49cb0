import CSallyportPlugin
import PluginCarriers
import SallyportProtocol
import Support
import TTRPC
import Testing

@Suite("A plugin through both carriers", .timeLimit(.minutes(2)))
struct CarrierTests {
    let workshop: PluginWorkshop
    init() throws { workshop = try PluginWorkshop() }

    @Test("a C plugin answers every method of its services", arguments: Carrier.allCases)
    func well(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("well", through: carrier)
        let description = try await plugin.call(
            "Describe", Sallyport_Plugin_V1_DescribeRequest(), as: Sallyport_Plugin_V1_DescribeResponse.self)
        #expect(description.name == "under-test")
        #expect(description.kinds == [.policySource])
        #expect(try await plugin.configure().problems.isEmpty)
        #expect(try await plugin.health().ready)
        let watch = try await plugin.watch()
        let event = try Sallyport_Plugin_V1_PolicyEvent(serializedBytes: try #require(try await watch.next()))
        #expect(event.complete.generation == 1)
        await watch.cancel()
        await plugin.log.wait(for: "7 cancelled")
        await plugin.stop()
        await plugin.log.wait(for: "6 destroyed")
        if let process = plugin.process { #expect(await process.exit() == .exited(0)) }
    }

    @Test("what a plugin does not have is unimplemented", arguments: Carrier.allCases)
    func unimplemented(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("well", through: carrier)
        let call = { try await plugin.channel.call(service: $0, method: $1, request: [], timeout: .seconds(10)) }
        await #expect(throws: RPCError.self) { try await call(SALLYPORT_SERVICE_TLS_PROVIDER, "IssueProcessingUnit") }
        do {
            _ = try await call(SALLYPORT_SERVICE_PLUGIN, "Dance")
            Issue.record("a method that is not there was answered")
        } catch let error as RPCError {
            #expect(error.code == .unimplemented)
        }
        await plugin.stop()
    }

    @Test("a plugin that cannot be used is refused with its reason", arguments: [
        ("wrong-magic", "0xdeadbeef"), ("wrong-major", "has plugin ABI 2, this host 1"), ("small-table", "smaller than ABI 1.0's"),
        ("no-entry", "has no function sallyport_plugin_entry"), ("no-call", "has no function call in its table"),
        ("refuses-host", "refused this host"), ("refuses-instance", "made no instance"),
    ], Carrier.allCases)
    func refused(_ plugin: (source: String, reason: String), _ carrier: Carrier) async throws {
        switch carrier {
        case .inProcess:
            do {
                _ = try await workshop.start(plugin.source, through: carrier)
                Issue.record("\(plugin.source) was loaded")
            } catch let fault as PluginFault {
                #expect("\(fault)".contains(plugin.reason))
                #expect("\(fault)".hasPrefix(plugin.source))
            }
        case .outOfProcess:
            let started = try await workshop.start(plugin.source, through: carrier)
            #expect(await started.process?.exit() == .configuration)
            #expect(started.log.all.last?.hasPrefix("3 \(plugin.source)") == true)
            #expect(started.log.all.last?.contains(plugin.reason) == true)
        }
    }

    @Test("a file that is no shared object is refused with the linker's words and the plugin's name")
    func notLoadable() async throws {
        let file = try PluginFile(path: workshop.write("text.so", "this is text, and long enough to be read as a header"))
        do {
            _ = try await StartedPlugin(file, through: .inProcess)
            Issue.record("text was loaded")
        } catch let fault as PluginFault {
            #expect("\(fault)".hasPrefix("text cannot be loaded: ") && !"\(fault)".contains("/proc/"))
        }
    }

    @Test("a library that is no plugin is not taken for the next one that is opened")
    func noPluginBefore() async throws {
        for _ in 0..<8 {
            // Its descriptor is closed again, and the next file may get the number.
            let none = try await workshop.build("no-entry")
            await #expect(throws: PluginFault.noEntry(name: "no-entry")) { _ = try await StartedPlugin(PluginFile(path: none), through: .inProcess) }
            let well = try await workshop.start("well", through: .inProcess)
            #expect(try await well.health().ready)
            await well.stop()
        }
    }

    @Test("a plugin that hangs in its entry is given up, and another is not held up")
    func hangsAtEntry() async throws {
        let file = try PluginFile(path: await workshop.build("hangs-at-entry"))
        await #expect(throws: PluginFault.overdue(name: "hangs-at-entry", step: "sallyport_plugin_entry and create")) {
            _ = try await InProcessPlugin.load(file, limit: .milliseconds(50)) { _, _ in }
        }
        let other = try await workshop.start("well", through: .inProcess)
        #expect(try await other.health().ready)
        await other.stop()
    }

    @Test("a call that hangs is overdue, calls behind it too, and other plugins are not held up", arguments: Carrier.allCases)
    func hangs(_ carrier: Carrier) async throws {
        let hanging = try await workshop.start("hangs", through: carrier)
        let other = try await workshop.start("well", through: carrier)
        for _ in 0..<2 {
            do {
                _ = try await hanging.health(timeout: .milliseconds(100))
                Issue.record("it answered")
            } catch let error as RPCError {
                #expect(error.code == .deadlineExceeded)
            }
        }
        #expect(try await other.health().ready)
        await other.stop()
        await hanging.stop()
    }

    @Test("calls that wait for a plugin which hangs are bounded")
    func waiting() async throws {
        let hanging = try await workshop.start("hangs", through: .inProcess)
        let codes = await withTaskGroup(of: RPCCode?.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    do {
                        _ = try await hanging.health(timeout: .milliseconds(500))
                        return nil
                    } catch { return (error as? RPCError)?.code }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.count { $0 == .resourceExhausted } >= 100 - 65)
        #expect(codes.allSatisfy { $0 == .resourceExhausted || $0 == .deadlineExceeded })
        await hanging.stop()
    }

    @Test("a plugin sees that nobody waits for its call any longer, and is of use again afterwards", arguments: Carrier.allCases)
    func gaveUp(_ carrier: Carrier) async throws {
        let slow = try await workshop.start("slow", through: carrier)
        await #expect(throws: RPCError.self) { try await slow.health(timeout: .milliseconds(50)) }
        await slow.log.wait(for: "6 gave up")
        #expect(try await slow.configure().problems.isEmpty)
        await slow.stop()
    }

    @Test("a message over 4 MiB fails its call and nothing else", arguments: Carrier.allCases)
    func oversized(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("oversized", through: carrier)
        for attempt in ["unary", "watch"] {
            do {
                if attempt == "unary" { _ = try await plugin.health() } else { _ = try await plugin.watch().next() }
                Issue.record("an oversized message arrived")
            } catch let error as RPCError {
                #expect(error.code == .resourceExhausted)
            }
        }
        #expect(try await plugin.configure().problems.isEmpty)
        await plugin.stop()
    }

    @Test("a request over 4 MiB never leaves", arguments: Carrier.allCases)
    func oversizedRequest(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("well", through: carrier)
        await #expect(throws: RPCError.self) { try await plugin.configure(String(repeating: " ", count: 4 << 20)) }
        #expect(try await plugin.health().ready)
        await plugin.stop()
    }

    @Test("a unary call answered twice, or a watch answered at once, is an error of the plugin", arguments: Carrier.allCases)
    func twice(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("answers-twice", through: carrier)
        for attempt in ["unary", "watch"] {
            do {
                if attempt == "unary" { _ = try await plugin.health() } else { _ = try await plugin.watch().next() }
                Issue.record("it was taken")
            } catch let error as RPCError {
                #expect(error.code == .internal)
            }
        }
        await plugin.stop()
    }

    @Test("a watch that nobody reads holds its sender up, in bounded memory, and cancelling frees it", arguments: Carrier.allCases)
    func endless(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("endless", through: carrier)
        let watch = try await plugin.watch()
        for _ in 0..<1000 { _ = try #require(try await watch.next()) }
        // The sender's thread is far ahead of nobody: what it may have sent is bounded by the queues.
        await watch.cancel()
        while !plugin.log.all.contains(where: { $0.hasPrefix("6 sent") }) { try await Task.sleep(for: .milliseconds(1)) }
        let line = try #require(plugin.log.all.first { $0.hasPrefix("6 sent") })
        let sent = try #require(Int(line.dropFirst("6 sent ".count)))
        let queues = 64 + (carrier == .inProcess ? 0 : wireQueues)
        #expect((1000...1000 + queues).contains(sent))
        await plugin.stop()
    }

    /// Messages of 4 bytes that lie between the two ends of a connection at most: a frame of 14 bytes each in the sender's
    /// outbox, the socket (net.core.wmem_default, 208 KiB) and what is read at once, and 68 bytes each where they wait for a reader.
    private var wireQueues: Int {
        let limit = TTRPCLimits().queuedBytes
        return (limit + 212_992 + 65_536) / 14 + limit / 68 + 2
    }

    @Test("log lines over the limit are dropped and counted", arguments: Carrier.allCases)
    func floods(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("floods", through: carrier)
        #expect(try await plugin.configure().problems.isEmpty)
        #expect(plugin.log.all.count < 2000)
        #expect(plugin.log.all.count > 100)
        await plugin.stop()
    }

    @Test("calls after close, and those open at close, are unavailable", arguments: Carrier.allCases)
    func closed(_ carrier: Carrier) async throws {
        let plugin = try await workshop.start("well", through: carrier)
        let watch = try await plugin.watch()
        _ = try await watch.next()
        let rest = Task { try await watch.next() }
        await plugin.stop()
        await #expect(throws: RPCError.self) { _ = try await rest.value }
        await #expect(throws: RPCError.self) { try await plugin.health() }
    }
}
