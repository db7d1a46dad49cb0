// From the JSON of a drop-in's `config` to a plugin's own type, strictly.

import FoundationEssentials

/// Decodes `config` into `Configuration`.
/// - Throws: `ConfigRefused` naming every key that is unknown or missing, or else the first value of a wrong type.
package func decodeConfiguration<Configuration: Decodable>(
    _ type: Configuration.Type, from json: String, settings: [PluginSetting]
) throws(ConfigRefused) -> Configuration {
    let decoder = JSONDecoder()
    let data = Data((json.isEmpty ? "{}" : json).utf8)
    guard let tree = try? decoder.decode(JSONTree.self, from: data), case .object = tree else {
        throw ConfigRefused(field: "", "must be an object of settings")
    }
    let problems = SettingsCheck(settings).problems(in: tree)
    if !problems.isEmpty { throw ConfigRefused(problems) }
    do {
        return try decoder.decode(type, from: data)
    } catch let error as DecodingError {
        throw ConfigRefused([problem(of: error, settings: settings)])
    } catch {
        throw ConfigRefused(field: "", "\(error)")
    }
}

/// The shape of a JSON document; scalars do not matter here.
private indirect enum JSONTree: Decodable {
    case object([String: JSONTree])
    case array([JSONTree])
    case scalar

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let members = try? container.decode([String: JSONTree].self) {
            self = .object(members)
        } else if let elements = try? container.decode([JSONTree].self) {
            self = .array(elements)
        } else {
            self = .scalar
        }
    }
}

/// Compares the keys of a document with the settings a plugin declares.
private struct SettingsCheck {
    private let settings: [PluginSetting]

    init(_ settings: [PluginSetting]) { self.settings = settings }

    func problems(in tree: JSONTree) -> [ConfigProblem] { problems(in: tree, path: "", pattern: "") }

    /// - Parameters:
    ///   - path: Where the value is: "names[2]".
    ///   - pattern: The same as settings are declared: "names[]".
    private func problems(in tree: JSONTree, path: String, pattern: String) -> [ConfigProblem] {
        switch tree {
        case .scalar: return []
        case .array(let elements):
            return elements.enumerated().flatMap { problems(in: $1, path: "\(path)[\($0)]", pattern: pattern + "[]") }
        case .object(let members):
            let prefix = pattern.isEmpty ? "" : pattern + "."
            let known = settings.filter { $0.name.hasPrefix(prefix) && !$0.name.dropFirst(prefix.count).contains { ".[".contains($0) } }
            if known.isEmpty && !pattern.isEmpty { return [] }
            let names = known.map { String($0.name.dropFirst(prefix.count)) }
            let here = path.isEmpty ? "" : path + "."
            let missing = zip(known, names).filter { $0.required && members[$1] == nil }.map {
                ConfigProblem(field: here + $1, "is required: \($0.summary)")
            }
            return missing + members.sorted { $0.key < $1.key }.flatMap { name, value in
                names.contains(name)
                    ? problems(in: value, path: here + name, pattern: prefix + name)
                    : [ConfigProblem(field: here + name, unknown(names))]
            }
        }
    }

    private func unknown(_ names: [String]) -> String {
        names.isEmpty ? "unknown setting: this plugin has none" : "unknown setting: the settings are \(names.joined(separator: ", "))"
    }
}

private func problem(of error: DecodingError, settings: [PluginSetting]) -> ConfigProblem {
    switch error {
    case .keyNotFound(let key, let context):
        return ConfigProblem(field: field(context.codingPath + [key]), "is required")
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
        let place = field(context.codingPath)
        let pattern = field(context.codingPath, indices: false)
        guard let setting = settings.first(where: { $0.name == pattern }) else {
            return ConfigProblem(field: place, context.debugDescription)
        }
        return ConfigProblem(field: place, "must be: \(setting.type)")
    case .dataCorrupted(let context):
        return ConfigProblem(field: field(context.codingPath), context.debugDescription)
    @unknown default:
        return ConfigProblem(field: "", "\(error)")
    }
}

/// "names[2].ttl", or without indices "names[].ttl".
private func field(_ path: [any CodingKey], indices: Bool = true) -> String {
    path.reduce(into: "") { text, key in
        if let index = key.intValue {
            text += indices ? "[\(index)]" : "[]"
        } else {
            text += (text.isEmpty ? "" : ".") + key.stringValue
        }
    }
}
