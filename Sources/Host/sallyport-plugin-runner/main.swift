// sallyport-plugin-runner: a process for one plugin in C or Swift (docs/plugin-abi.md §8).
//
// The daemon starts it as `sallyport-plugin-runner NAME`, with a socket as descriptor 3 and the plugin's file,
// which it has checked, as descriptor 4. It loads that file as the daemon would, and serves it by ttrpc.

import CSallyportPlugin
import Linux
import PluginCarriers
import TTRPC

let arguments = CommandLine.arguments.dropFirst()
if arguments.first == "--check" { exit(await runCheck(Array(arguments.dropFirst()))) }
guard let name = arguments.first, arguments.count == 1, fcntl(3, F_GETFD) >= 0, fcntl(4, F_GETFD) >= 0 else {
    logLine(SALLYPORT_LOG_ERROR, "sallyport-plugin-runner is started by sallyportd; to try a plugin: sallyport plugin check PATH")
    exit(EX_USAGE)
}

do {
    let file = try PluginFile(inherited: 4, name: name)
    let plugin = try await InProcessPlugin.load(file) { logLine($0, $1) }
    let server = try TTRPCServer(router: RPCRouter(forwardingTo: plugin))
    _ = await server.serve(connection: Descriptor(owning: 3))
    await plugin.close()
    exit(EXIT_SUCCESS)
} catch {
    logLine(SALLYPORT_LOG_ERROR, "\(error)")
    // The daemon does not try again before the plugin's file or drop-in changes.
    exit(error is PluginFault ? EX_CONFIG : EXIT_FAILURE)
}
