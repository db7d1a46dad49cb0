// Watches the folders that certificates and keys are in: where their paths lead, and where links on the way end.

import Linux

/// The folders of all services' files.
final class FileWatches {
    /// Each takes two descriptors of the 256 that a plugin has, a thread, and one of 128 instances of inotify that a user has.
    static let most = 64

    private struct Watch {
        let watch: FolderWatch
        let task: Task<Void, Never>
    }

    private var watches: [String: Watch] = [:]
    /// Folders that could not be watched, which are to be read now and then.
    private(set) var unwatched: Set<String> = []

    /// Watches these folders and no others.
    /// - Parameter start: Starts a task that calls for a new look at each change.
    func follow(_ folders: Set<String>, start: (String, AsyncStream<Void>) -> Task<Void, Never>) {
        for (folder, watch) in watches where !folders.contains(folder) {
            end(watch)
            watches[folder] = nil
        }
        unwatched = []
        for folder in folders where watches[folder] == nil {
            guard watches.count < Self.most, let watch = try? FolderWatch(folder) else {
                unwatched.insert(folder)
                continue
            }
            watches[folder] = Watch(watch: watch, task: start(folder, watch.changes))
        }
    }

    func stop() {
        for watch in watches.values { end(watch) }
        watches = [:]
    }

    private func end(_ watch: Watch) {
        watch.watch.stop()
        watch.task.cancel()
    }

    /// The folder of a path, and that of the file it leads to.
    static func folders(of path: String) -> Set<String> {
        var folders: Set<String> = [folder(path)]
        if let real = realpath(path, nil) {
            folders.insert(folder(String(cString: real)))
            free(real)
        }
        return folders
    }

    private static func folder(_ path: String) -> String {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
        return folder.isEmpty ? "/" : folder
    }
}
