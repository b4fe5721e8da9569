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

    /// - Parameter shared: what all dialogues have in common; `nil` where there is none.
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

/// The template that dialogues are written by, if there are any.
struct TemplateChoice {
    /// `nil` where there is none, as ``fault`` says.
    let template: ChatTemplate?
    let fault: (any Error)?
    /// What the template takes for the present.
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
        // A run begun when `auto` preferred the built-in templates keeps the one that it began with.
        return try name == "auto" ? .formerAutomatic(for: model.tokenizer) : .named(name, for: model.tokenizer)
    }

    private static let units: [Calendar.Component] = [.year, .month, .day, .hour, .minute, .second]

    /// Local time without its zone: what a template writes of it is the same wherever the run resumes.
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
