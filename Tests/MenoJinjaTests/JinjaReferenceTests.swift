import Foundation
import MenoTesting
import Testing

@testable import MenoJinja

/// What jinja2, set up as transformers does, made of the same templates (`Tests/Reference/make_jinja.py`).
struct JinjaReferenceTests {
    @Test func snippetsGiveWhatJinja2Gives() throws {
        let reference = try JinjaReference.read()
        #expect(reference.snippets.count > 300)
        for expected in reference.snippets {
            check(expected, try #require(expected.template), reference.common)
        }
    }

    @Test func chatTemplatesGiveWhatJinja2Gives() throws {
        let reference = try JinjaReference.read()
        #expect(reference.chats.count > 150)
        let templates = try JinjaReference.templates()
        for expected in reference.chats {
            let names = expected.name.components(separatedBy: ": ")
            check(expected, try #require(templates[names[0]]), try #require(reference.conversations[names[1]]))
        }
    }

    /// The templates and conversations that `Tests/Reference/compare_chat_templates.py` writes to a folder.
    @Test(.enabled(if: publishedFolder != nil)) func publishedTemplatesGiveWhatJinja2Gives() throws {
        let folder = try #require(Self.publishedFolder)
        let reference = try JinjaReference.read(folder)
        let templates = try JinjaReference.templates(folder)
        #expect(!reference.chats.isEmpty)
        for expected in reference.chats {
            let names = expected.name.components(separatedBy: ": ")
            check(expected, try #require(templates[names[0]]), try #require(reference.conversations[names[1]]))
        }
    }

    static let publishedFolder = ProcessInfo.processInfo.environment["MENO_CHAT_TEMPLATES"].map { URL(filePath: $0) }

    /// Every filter, test, method and operator with `none`, 0, false, undefined and the other kinds of values
    /// (`Tests/Reference/make_jinja_matrix.py`).
    @Test func everyKindOfValueIsTakenAsJinja2TakesIt() throws {
        let matrix = try JinjaReference.matrix()
        #expect(matrix.rows.count > 450)
        for (source, outputs) in matrix.rows {
            try #require(outputs.count == matrix.cases.count)
            for (output, (name, variables)) in zip(outputs, matrix.cases) {
                if case .boolean = output { continue }
                // Most of the errors lie in the rendering; where one lies in the template, every output is one.
                let rendered = try? JinjaTemplate(source).render(variables).text
                let expected: String? = if case .string(let text) = output { text } else { nil }
                #expect(rendered.map { Array($0.utf8) } == expected.map { Array($0.utf8) }, "\(source) of \(name)")
            }
        }
    }

    private func check(_ expected: JinjaReference.Expected, _ template: String, _ variables: [String: JinjaValue]) {
        do {
            let rendering = try JinjaTemplate(template).render(variables)
            #expect(
                expected.output == rendering.text,
                "\(expected.name): jinja2 gives an error: \(expected.reason ?? "none")")
            // Strings of Swift are also equal where only their canonical forms are.
            #expect(expected.output.map { Array($0.utf8) } == Array(rendering.text.utf8), "\(expected.name)")
            #expect(
                expected.generation == rendering.generation.map { [$0.lowerBound, $0.upperBound] }, "\(expected.name)")
        } catch let error as JinjaError {
            #expect(expected.output == nil, "\(expected.name): \(error)")
            if let line = expected.line { #expect(error.line == line, "\(expected.name): \(error)") }
        } catch {
            Issue.record("\(expected.name): \(error)")
        }
    }
}

/// `Tests/Reference/fixtures/jinja`
struct JinjaReference {
    struct Expected {
        var name: String
        var template: String?
        var output: String?
        var generation: [[Int]]?
        /// Where jinja2 gives an error instead.
        var line: Int?
        var reason: String?
    }

    var common: [String: JinjaValue]
    var conversations: [String: [String: JinjaValue]]
    var snippets: [Expected]
    var chats: [Expected]

    static func read(_ folder: URL = Fixtures.url("jinja")) throws -> JinjaReference {
        var reader = OrderedJSONReader(try Data(contentsOf: folder.appending(path: "cases.json")))
        let root = fields(reader.value())
        return JinjaReference(
            common: fields(root["common"]), conversations: fields(root["conversations"]).mapValues { fields($0) },
            snippets: expectations(root["snippets"]), chats: expectations(root["chats"]))
    }

    /// Templates, each with what it gives for every case; `null` is an error, `false` a text that no two runs share.
    static func matrix() throws -> (cases: [(String, [String: JinjaValue])], rows: [(String, [JinjaValue])]) {
        var reader = OrderedJSONReader(try Data(contentsOf: Fixtures.url("jinja/matrix.json")))
        guard case .object(let parts) = reader.value(), case .object(let values)? = parts.first?.value,
            case .object(let rows)? = parts.last?.value
        else { throw CocoaError(.coderReadCorrupt) }
        return (
            values.map { ($0.key, ["v": $0.value]) } + [("undefined", [:])],
            rows.map { row in if case .array(let outputs) = row.value { (row.key, outputs) } else { (row.key, []) } }
        )
    }

    /// The chat templates by name.
    static func templates(_ folder: URL = Fixtures.url("jinja")) throws -> [String: String] {
        let files = try FileManager.default.contentsOfDirectory(
            at: folder.appending(path: "templates"), includingPropertiesForKeys: nil)
        return try Dictionary(
            uniqueKeysWithValues: files.map {
                ($0.deletingPathExtension().lastPathComponent, try String(contentsOf: $0, encoding: .utf8))
            })
    }

    private static func fields(_ value: JinjaValue?) -> [String: JinjaValue] {
        guard case .object(let entries)? = value else { return [:] }
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.key, $0.value) })
    }

    private static func expectations(_ value: JinjaValue?) -> [Expected] {
        guard case .array(let cases)? = value else { return [] }
        return cases.map { item in
            let fields = fields(item)
            func text(_ name: String) -> String? { if case .string(let text)? = fields[name] { text } else { nil } }
            var expected = Expected(
                name: text("name") ?? "", template: text("template"), output: text("output"), reason: text("reason"))
            if case .integer(let line)? = fields["line"] { expected.line = line }
            if case .array(let ranges)? = fields["generation"] {
                expected.generation = ranges.map { range in
                    guard case .array(let ends) = range else { return [] }
                    return ends.compactMap { if case .integer(let end) = $0 { end } else { nil } }
                }
            }
            return expected
        }
    }
}

/// Reads fixtures' JSON with objects in their order and integers apart from floats, which Foundation's readers lose.
private struct OrderedJSONReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ data: Data) { bytes = Array(data) }

    mutating func value() -> JinjaValue {
        skipSpace()
        switch bytes[place] {
        case UInt8(ascii: "{"):
            return .object(
                items(closedBy: "}") { reader in
                    let key = reader.string()
                    reader.skipSpace()
                    reader.place += 1
                    return JinjaValue.Entry(key: key, value: reader.value())
                })
        case UInt8(ascii: "["): return .array(items(closedBy: "]") { $0.value() })
        case UInt8(ascii: "\""): return .string(string())
        default:
            let word = String(decoding: bytes[place...].prefix { !",]} \n".utf8.contains($0) }, as: UTF8.self)
            place += word.utf8.count
            let literals: [String: JinjaValue] = ["null": .none, "true": true, "false": false]
            return literals[word] ?? Int(word).map { .integer($0) } ?? .double(Double(word) ?? .nan)
        }
    }

    private mutating func skipSpace() { while " \n".utf8.contains(bytes[place]) { place += 1 } }

    private mutating func items<Item>(closedBy end: Unicode.Scalar, _ item: (inout Self) -> Item) -> [Item] {
        var items: [Item] = []
        repeat {
            place += 1
            skipSpace()
            if bytes[place] == UInt8(ascii: end) { break }
            items.append(item(&self))
            skipSpace()
        } while bytes[place] == UInt8(ascii: ",")
        place += 1
        return items
    }

    private mutating func string() -> String {
        let start = place
        place += 1
        while bytes[place] != UInt8(ascii: "\"") { place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1 }
        place += 1
        return (try? JSONDecoder().decode(String.self, from: Data(bytes[start..<place]))) ?? ""
    }
}
