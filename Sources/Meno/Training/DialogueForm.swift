internal import Foundation
internal import MenoConfiguration
internal import MenoData
internal import MenoFormats
internal import MenoTokenizers
internal import MenoTraining

/// How a run renders its dialogues. Chosen when the run begins, stored in its checkpoints, and
/// restored on resume.
struct DialogueForm {
    /// `nil` if the data contain no dialogue.
    let template: ChatTemplate?
    /// What checkpoints store.
    let settings: [String: String]
    /// The template for answering questions, with the values that all dialogues share.
    let answering: ChatTemplate?
    /// The system turn that all dialogues begin with.
    let opening: [ChatMessage]

    /// - Parameter shared: what all dialogues have in common; `nil` if nothing.
    init(_ data: RunConfiguration.Data, _ choice: TemplateChoice, shared: SharedContext?) {
        template = shared == nil ? nil : choice.template
        var settings: [String: String] = [:]
        if let template {
            settings[RunSaving.templateKey] = template.source
            if template.writesDate { settings[RunSaving.dateKey] = TemplateChoice.text(choice.date) }
        }
        self.settings = settings
        answering = template?.with(variables: data.chatTemplateKwargs.overridden(by: shared?.variables ?? []))
        opening = shared?.opening ?? []
    }
}

/// The template that dialogues are rendered with, if there are any.
struct TemplateChoice {
    /// `nil` if there is none; ``fault`` says why.
    let template: ChatTemplate?
    let fault: (any Error)?
    /// The date passed to the template.
    let date: Date

    /// - Parameter stored: the settings of the checkpoint that the run resumes from.
    init(_ data: RunConfiguration.Data, _ model: TokenizedModel, stored: [String: String]?) {
        date = stored?[RunSaving.dateKey].flatMap(Self.date) ?? Date()
        do {
            template = try Self.template(data.chatTemplate, model, stored).with(date: date)
            fault = nil
        } catch {
            (template, fault) = (nil, error)
        }
    }

    private static func template(
        _ name: String, _ model: TokenizedModel, _ stored: [String: String]?
    ) throws -> ChatTemplate {
        guard let stored, ["auto", "tokenizer"].contains(name), stored["data.chat_template"] == name else {
            return try model.template(name, warnsOfOther: false)
        }
        if let source = stored[RunSaving.templateKey] {
            return try .stored(source, name: "the run's chat template", for: model.tokenizer)
        }
        // A run that began when `auto` preferred the built-in templates keeps its template.
        return try name == "auto" ? .formerAutomatic(for: model.tokenizer) : .named(name, for: model.tokenizer)
    }

    private static let units: [Calendar.Component] = [.year, .month, .day, .hour, .minute, .second]

    /// Local time without a time zone, so that the template writes the same text wherever the run
    /// resumes.
    static func text(_ date: Date) -> String {
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
