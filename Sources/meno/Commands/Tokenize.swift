import ArgumentParser
import Foundation
import MenoFormats
import MenoTokenizers

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows the tokens of a text.")

    @Option(help: "A .gguf file, or a name that `meno models list` shows.") var model: String
    @Option(help: "The text.") var text: String?
    @Option(help: "A file of lines {\"text\": …}.") var file: String?
    @Flag(help: "Print {\"text\": …, \"ids\": […]} for each text.") var json = false

    func validate() throws {
        guard (text == nil) != (file == nil) else { throw ValidationError("Give either --text or --file.") }
    }

    func run() throws {
        try reportingErrors {
            let tokenizer = try Tokenizer.load(CatalogueModel.locate(model))
            for text in try texts() { try show(text, tokenizer) }
        }
    }

    private struct Line: Codable {
        var text: String
        var ids: [TokenID]?
    }

    private func texts() throws -> [String] {
        if let text { return [text] }
        guard let file else { return [] }
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw FormatError(.notFound, path: file, "cannot be read (\(error.localizedDescription)).")
        }
        return try data.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { return nil }
            do {
                return try JSONDecoder().decode(Line.self, from: line).text
            } catch {
                throw FormatError(
                    .malformed, path: file, "line \(index + 1) is no JSON object with a string \"text\".")
            }
        }
    }

    private func show(_ text: String, _ tokenizer: Tokenizer) throws {
        let ids = tokenizer.encode(text).ids
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(Line(text: text, ids: ids)), as: UTF8.self))
        } else {
            for id in ids { print("\(id)\t\(tokenizer.decode([id]).debugDescription)") }
        }
    }
}
