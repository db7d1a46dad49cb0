// libyaml's event stream. Yams' own tree is not used: it has no bound on depth or aliases, and one
// duplicate key would take the whole file down.

internal import CYaml

/// The text stops being YAML here; nothing after it can be read.
struct YAMLBreak: Error {
    let line: Int
    let column: Int
    let message: String
}

struct YAMLEvent {
    enum Content {
        case streamStart, streamEnd, documentStart, documentEnd, sequenceEnd, mappingEnd
        case alias(String)
        case scalar(String, isPlain: Bool, tag: String?, anchor: String?)
        case sequenceStart(tag: String?, anchor: String?)
        case mappingStart(tag: String?, anchor: String?)
    }

    let content: Content
    /// Both from 1.
    let line: Int
    let column: Int
}

/// Reads events one by one from memory that must outlive it.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let text: UnsafeBufferPointer<UInt8>

    /// - Parameter text: Not empty, and readable as `UnreadableText` has it.
    init(_ text: UnsafeBufferPointer<UInt8>) throws(YAMLBreak) {
        self.text = text
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw YAMLBreak(line: 1, column: 1, message: "there is no memory left to read it; try again")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, text.baseAddress, text.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    mutating func next() throws(YAMLBreak) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw breakage() }
        defer { yaml_event_delete(&event) }
        let data = event.data
        let content: YAMLEvent.Content =
            switch event.type {
            case YAML_STREAM_START_EVENT: .streamStart
            case YAML_DOCUMENT_START_EVENT: .documentStart
            case YAML_DOCUMENT_END_EVENT: .documentEnd
            case YAML_ALIAS_EVENT: .alias(string(data.alias.anchor) ?? "")
            case YAML_SCALAR_EVENT:
                .scalar(
                    String(decoding: UnsafeBufferPointer(start: data.scalar.value, count: data.scalar.length), as: UTF8.self),
                    isPlain: data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
                    tag: string(data.scalar.tag), anchor: string(data.scalar.anchor))
            case YAML_SEQUENCE_START_EVENT:
                .sequenceStart(tag: string(data.sequence_start.tag), anchor: string(data.sequence_start.anchor))
            case YAML_SEQUENCE_END_EVENT: .sequenceEnd
            case YAML_MAPPING_START_EVENT:
                .mappingStart(tag: string(data.mapping_start.tag), anchor: string(data.mapping_start.anchor))
            case YAML_MAPPING_END_EVENT: .mappingEnd
            // YAML_STREAM_END_EVENT, and YAML_NO_EVENT, which libyaml gives after it.
            default: .streamEnd
            }
        return YAMLEvent(content: content, line: event.start_mark.line + 1, column: event.start_mark.column + 1)
    }

    private func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private func breakage() -> YAMLBreak {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "it cannot be read"
        let context = parser.pointee.context.map { String(cString: $0) } ?? ""
        let mark = parser.pointee.problem_mark
        let start = context.isEmpty ? 0 : parser.pointee.context_mark.line + 1
        return YAMLBreak(
            line: mark.line + 1, column: mark.column + 1,
            message: syntaxAdvice(
                problem: problem, context: context, contextLine: start,
                character: Place.character(line: mark.line + 1, column: mark.column + 1, in: text)))
    }
}
