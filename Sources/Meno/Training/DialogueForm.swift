internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoFormats
internal import MenoTokenizers
internal import MenoTraining

/// How a run writes its dialogues. It is chosen when the run begins, stored in its checkpoints, and taken from there when it
/// resumes.
struct DialogueForm {
    /// `nil` where the data hold no dialogue.
    let template: ChatTemplate?
    /// What checkpoints store of it.
    let settings: [String: String]
    /// The template as it answers questions: with what all dialogues give it.
    let answering: ChatTemplate?
    /// The system turn that all dialogues begin with.
    let opening: [ChatMessage]

    /// - Parameter stored: the settings of the checkpoint that the run resumes from.
    /// - Throws: `TokenizerError` where there is no such template.
    init(_ data: RunConfiguration.Data, _ model: TokenizedModel, records: [Record], stored: [String: String]?) throws {
        let template = try Self.template(data.chatTemplate, model, records, stored)
        let date = stored?[RunSaving.dateKey].flatMap(Self.date) ?? Date()
        self.template = template?.with(date: date)
        var settings: [String: String] = [:]
        if let template {
            settings[RunSaving.templateKey] = template.source
            if template.writesDate { settings[RunSaving.dateKey] = Self.text(date) }
        }
        self.settings = settings
        let shared = SharedContext(of: records)
        answering = self.template?.with(variables: data.chatTemplateKwargs.overridden(by: shared.variables))
        opening = shared.opening
    }

    private static func template(
        _ name: String, _ model: TokenizedModel, _ records: [Record], _ stored: [String: String]?
    ) throws -> ChatTemplate? {
        guard records.contains(where: { if case .dialogue = $0.content { true } else { false } }) else { return nil }
        guard let stored, ["auto", "tokenizer"].contains(name), stored["data.chat_template"] == name else {
            return try model.template(name, for: records, warnsOfOther: false)
        }
        if let source = stored[RunSaving.templateKey] {
            return try .stored(source, name: "the run's chat template", for: model.tokenizer)
        }
        // A run begun when `auto` preferred the built-in templates keeps the one that it began with.
        return try name == "auto" ? .formerAutomatic(for: model.tokenizer) : .named(name, for: model.tokenizer)
    }

    private static let units: [Calendar.Component] = [.year, .month, .day, .hour, .minute, .second]

    /// Local time without its zone: what a template writes of it is the same wherever the run resumes.
    private static func text(_ date: Date) -> String {
        let parts = Calendar(identifier: .gregorian).dateComponents(Set(units), from: date)
        let numbers = units.map { parts.value(for: $0) ?? 0 }
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d", numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
            numbers[5])
    }

    private static func date(_ text: String) -> Date? {
        let numbers = text.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
        guard numbers.count == units.count else { return nil }
        var parts = DateComponents()
        for (unit, number) in zip(units, numbers) { parts.setValue(number, for: unit) }
        return Calendar(identifier: .gregorian).date(from: parts)
    }
}
