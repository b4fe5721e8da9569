import ArgumentParser
import Foundation
import MenoConfiguration
import MenoData
import MenoMetrics
import MenoReporting
import MenoTokenizers

/// What a run tells on the console while it goes on.
struct ConsoleLog: Sendable {
    enum Style: String, CaseIterable, ExpressibleByArgument {
        case text
        /// Every event as a line of JSON.
        case json
    }

    var style = Style.text
    /// Only what needs attention: warnings, alerts, failures.
    var isQuiet = false

    /// Tells what is good to know.
    func note(_ text: String) {
        guard !isQuiet else { return }
        tell(.notice(text), as: text)
    }

    func warn(_ text: String) { tell(.warning(text), as: "warning: \(text)") }

    private func tell(_ event: RunEvent, as text: String) {
        switch style {
        case .text: Console.note(text)
        // A line that cannot be encoded is told all the same.
        case .json: do { try EventLines { Console.note($0) }.observe(event) } catch { Console.note(text) }
        }
    }

    /// Tells why the program ends.
    func fail(_ error: any Error) {
        guard style == .json, let line = try? EventLines.line(error: "\(error)") else {
            return Console.note("meno: \(error)")
        }
        Console.note(line)
    }

    /// What reading a data file found, with the first of the problems.
    /// - Parameter template: that dialogues were written by.
    func data(_ report: DataReport, path: String, template: ChatTemplate?, limit: Int = 10) {
        note("\(path): \(report.summary)")
        if let template { note("dialogues are written by the chat template: \(template)") }
        for remark in report.remarks { warn(remark) }
        let leftOut = report.problems.filter { !$0.isUsed }
        for problem in leftOut.prefix(limit) { note("  \(problem.place) \(problem.reason)") }
        if leftOut.count > limit { note("  … and \(leftOut.count - limit) more") }
    }

    /// The console and the log file.
    /// - Parameters:
    ///   - showsProgress: whether a terminal gets a line that moves with every step.
    ///   - logs: the folder of the log file, which holds all that the console tells in its text style.
    func observers(showsProgress: Bool, logs: URL) throws -> [any RunObserver] {
        let file: LogFile
        do {
            file = try LogFile(in: logs)
        } catch {
            throw ConfigurationError(
                place: logs.path, "the log cannot be written there (\(error.localizedDescription)).",
                advice: "`training.logging_dir` must be a folder that you may write to.")
        }
        let showsText = style == .text && !isQuiet
        let showsLine = showsText && showsProgress && Console.isTerminal
        var observers: [any RunObserver] = [
            ConsoleReporter(progress: showsLine ? { Console.progress($0) } : nil) { line in
                file.write(line)
                if showsText { Console.note(line) }
            }
        ]
        let needsAttention = { (event: RunEvent) in isQuiet ? event.needsAttention : true }
        if style == .json {
            observers.append(EventLines(of: needsAttention) { Console.note($0) })
        } else if isQuiet {
            observers.append(Filtered(ConsoleReporter { Console.note($0) }, needsAttention))
        }
        return observers
    }
}

/// Tells an observer only of some events.
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
