import ArgumentParser
import Foundation
import Meno
import MenoErrors
import MenoMetrics
import MenoReporting

/// Reports a run on the console.
struct ConsoleLog: SessionLog {
    enum Style: String, CaseIterable, ExpressibleByArgument {
        case text
        /// Every event as a line of JSON.
        case json
    }

    var style = Style.text
    /// Only warnings, alerts and failures.
    var isQuiet = false
    /// How errors name settings.
    var settingNames = SettingNames.options

    func note(_ text: String) {
        guard !isQuiet else { return }
        tell(.notice(text), as: text)
    }

    func warn(_ text: String) { tell(.warning(text), as: "warning: \(text)") }

    private func tell(_ event: RunEvent, as text: String) {
        switch style {
        case .text: Console.note(text)
        // A line that cannot be encoded is printed as text.
        case .json: do { try EventLines { Console.note($0) }.observe(event) } catch { Console.note(text) }
        }
    }

    /// Reports the error that ends the program.
    func fail(_ error: any MenoError) {
        guard style == .json, let line = try? EventLines.line(error: error.text(settingNames)) else {
            return Console.note("meno: \(error.text(settingNames))")
        }
        Console.note(line)
    }

    func preview(_ text: () -> String) {
        if style == .text, !isQuiet { Console.note("\n" + text() + "\n") }
    }

    func progress(_ text: String) {
        if style == .text, !isQuiet, Console.isTerminal { Console.progress(text) }
    }

    func obtain(_ model: CatalogModel) throws { try model.offerFetch() }

    func observers(showsProgress: Bool) -> [any RunObserver] {
        let needsAttention = { (event: RunEvent) in isQuiet ? event.needsAttention : true }
        switch style {
        case .json: return [EventLines(of: needsAttention) { Console.note($0) }]
        case .text where isQuiet: return [Filtered(ConsoleReporter { Console.note($0) }, needsAttention)]
        case .text:
            let showsLine = showsProgress && Console.isTerminal
            return [ConsoleReporter(progress: showsLine ? { Console.progress($0) } : nil) { Console.note($0) }]
        }
    }
}

/// Forwards only some events to an observer.
private struct Filtered: RunObserver {
    private let observer: any RunObserver
    private let isTold: (RunEvent) -> Bool

    init(_ observer: any RunObserver, _ isTold: @escaping (RunEvent) -> Bool) {
        self.observer = observer
        self.isTold = isTold
    }

    func observe(_ event: RunEvent) throws { if isTold(event) { try observer.observe(event) } }
}

extension RunEvent {
    fileprivate var needsAttention: Bool {
        switch self {
        case .warning, .checkpointFailed, .stepSkipped: true
        case .alertBegan(let alert): alert.severity > .info
        case .finished(let outcome): outcome.reason != .completed
        default: false
        }
    }
}
