import ArgumentParser
import Foundation
import MenoConfiguration
import MenoFormats
import MenoTokenizers

/// Values for the chat template, for every command that renders dialogues.
struct DialogueOptions: ParsableArguments {
    @Option(help: "The system message. Records with their own system turn keep it.") var system: String?
    @Option(help: "A JSON file with an array of tools for the chat template.") var tools: String?
    @Option(
        help: ArgumentHelp(
            "Values for the chat template, as a JSON object. Records with their own values keep them.",
            valueName: "{\"enable_thinking\": false}"))
    var templateKwargs: String?

    /// The template's values, by name.
    func variables() throws -> [JSONValue.Member] {
        var variables: [JSONValue.Member] = []
        if let tools { variables.append(.init("tools", try Self.tools(in: tools))) }
        guard let templateKwargs else { return variables }
        do throws(JSONReader.Fault) {
            guard let members = try JSONReader.value(of: templateKwargs).object else {
                throw JSONReader.Fault(offset: 0, message: "expected an object")
            }
            return variables.overridden(by: members)
        } catch {
            throw ConfigurationError(
                .invalid, at: "--template-kwargs", "is not a JSON object (at byte \(error.offset)): \(error.message).",
                advice: "For example --template-kwargs '{\"enable_thinking\": false}'.")
        }
    }

    private static func tools(in file: String) throws -> JSONValue {
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: file), encoding: .utf8)
        } catch {
            throw ConfigurationError(
                .notFound, at: "--tools \(file)", "cannot be read (\(error.localizedDescription)).")
        }
        do throws(JSONReader.Fault) {
            let value = try JSONReader.value(of: text)
            guard let tools = value["tools"] ?? value.array.map(JSONValue.array) else {
                throw JSONReader.Fault(offset: 0, message: "expected an array of tools")
            }
            return tools
        } catch {
            throw ConfigurationError(
                .invalid, at: "--tools \(file)",
                "is not a JSON array of tools (at byte \(error.offset)): \(error.message).")
        }
    }

    /// Values that the template does not read when it renders a conversation.
    static func unread(_ variables: [JSONValue.Member], _ template: ChatTemplate, _ messages: [ChatMessage]) -> [String]
    {
        guard let text = try? template.render(messages, variables: variables, addGenerationPrompt: true).text else {
            return []
        }
        return variables.map(\.key).filter { key in
            let others = variables.filter { $0.key != key }
            return (try? template.render(messages, variables: others, addGenerationPrompt: true).text) == text
        }
    }
}
